"""The stores of endpoints, deliveries and events, for entry points whose parts are properties. It goes with them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.files.deployment import FileDeployment

if TYPE_CHECKING:
    from functions.event_log.bus import Bus
    from functions.event_log.rows import LogWriter
    from functions.webhooks.deliveries.publication import DeliveryHints, Outbox
    from functions.webhooks.deliveries.replay import DeliveryList
    from functions.webhooks.deliveries.store import DeliveryStore
    from functions.webhooks.endpoints.store import EndpointStore, SubscriberCache
    from functions.webhooks.sealed_secrets import SecretBoxes
    from functions.webhooks.webhook_url import AddressRules


class WebhookDeployment(FileDeployment):
    """The stores of endpoints, deliveries and events."""

    @cached_property
    def endpoints(self) -> EndpointStore:
        """Endpoints of projects."""
        from functions.webhooks.endpoints.store import EndpointStore

        return self[EndpointStore]

    @cached_property
    def subscribers(self) -> SubscriberCache:
        """The endpoints that subscribe to the events of a project, kept for a moment."""
        from functions.webhooks.endpoints.store import SubscriberCache

        return self[SubscriberCache]

    def address_rules(self, request_host: str | None) -> AddressRules:
        """Return the rules for the URLs of a request."""
        from functions.webhooks.webhook_url import AddressRules

        return AddressRules.of(self.settings, request_host)

    @cached_property
    def secret_boxes(self) -> SecretBoxes:
        """Secrets at rest."""
        from functions.webhooks.sealed_secrets import SecretBoxes

        return self[SecretBoxes]

    @cached_property
    def deliveries(self) -> DeliveryStore:
        """Events and their deliveries."""
        from functions.webhooks.deliveries.store import DeliveryStore

        return self[DeliveryStore]

    @cached_property
    def delivery_list(self) -> DeliveryList:
        """Lists of deliveries, and their attempts."""
        from functions.webhooks.deliveries.replay import DeliveryList

        return self[DeliveryList]

    @cached_property
    def delivery_hints(self) -> DeliveryHints:
        """The deliveries queue."""
        from functions.webhooks.deliveries.publication import DeliveryHints

        return self[DeliveryHints]

    @cached_property
    def log_writer(self) -> LogWriter:
        """The event log, for writing."""
        from functions.event_log.rows import LogWriter

        return self[LogWriter]

    @cached_property
    def event_bus(self) -> Bus:
        """The event bus."""
        from functions.event_log.bus import Bus

        return self[Bus]

    @cached_property
    def outbox(self) -> Outbox:
        """The outbox, which publishes events without a submission."""
        from functions.webhooks.deliveries.publication import Outbox

        return self[Outbox]
