"""The stores of endpoints, deliveries and events."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.projects.deployment import ProjectDeployment

if TYPE_CHECKING:
    from functions.event_log.bus import Bus
    from functions.event_log.writer import LogWriter
    from functions.webhooks.deliveries.list_store import DeliveryList
    from functions.webhooks.deliveries.store import DeliveryStore
    from functions.webhooks.endpoints.changes import EndpointChanges
    from functions.webhooks.endpoints.store import EndpointStore


class WebhookDeployment(ProjectDeployment):
    """The stores of endpoints, deliveries and events."""

    @cached_property
    def endpoints(self) -> EndpointStore:
        """Endpoints of projects."""
        from functions.webhooks.endpoints.store import EndpointStore

        return EndpointStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def endpoint_changes(self) -> EndpointChanges:
        """Changes of endpoints."""
        from functions.webhooks.endpoints.changes import EndpointChanges
        from functions.webhooks.sending.lanes.lane_store import resume_lane

        settings = self.settings
        return EndpointChanges(settings.deliveries_table, settings.quotas_table, self.dynamodb, resume_lane, self.clock)

    @cached_property
    def deliveries(self) -> DeliveryStore:
        """Events and their deliveries."""
        from functions.webhooks.deliveries.store import DeliveryStore

        return DeliveryStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def delivery_list(self) -> DeliveryList:
        """Lists of deliveries, and their attempts."""
        from functions.webhooks.deliveries.list_store import DeliveryList

        return DeliveryList(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def log_writer(self) -> LogWriter:
        """The event log, for writing."""
        from functions.event_log.writer import LogWriter

        return LogWriter(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def event_bus(self) -> Bus:
        """The event bus."""
        from functions.aws.clients import Clients
        from functions.event_log.bus import Bus

        return Bus(self.settings.event_bus_name, Clients.events(), self.settings.public_base_url)
