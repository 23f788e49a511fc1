"""The stores of deliveries and events, over those of endpoints."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.webhooks.endpoint_deployment import EndpointDeployment

if TYPE_CHECKING:
    from functions.event_log.bus import Bus
    from functions.event_log.writer import LogWriter
    from functions.webhooks.cards import Cards
    from functions.webhooks.deliveries.hints import DeliveryHints
    from functions.webhooks.deliveries.lists import DeliveryList, Latencies
    from functions.webhooks.deliveries.publication import Outbox
    from functions.webhooks.deliveries.replay import Recovery, ReplayStore
    from functions.webhooks.deliveries.store import DeliveryStore
    from functions.webhooks.sending.requests import Bodies, EndpointSecrets
    from functions.webhooks.target.egress import Egress


class WebhookDeployment(EndpointDeployment):
    """The stores of deliveries and events. An entry point that sends bodies gives the `cards`."""

    @cached_property
    def deliveries(self) -> DeliveryStore:
        """Events and their deliveries."""
        from functions.webhooks.deliveries.store import DeliveryStore

        return DeliveryStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def delivery_list(self) -> DeliveryList:
        """Lists of deliveries, and their attempts."""
        from functions.webhooks.deliveries.lists import DeliveryList

        return DeliveryList(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def delivery_hints(self) -> DeliveryHints:
        """The deliveries queue."""
        from functions.webhooks.deliveries.hints import DeliveryHints

        return DeliveryHints(self.sqs, self.settings.deliveries_queue_url)

    @cached_property
    def latencies(self) -> Latencies:
        """Latencies of the last deliveries of endpoints."""
        from functions.webhooks.deliveries.lists import Latencies

        return Latencies(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def replays(self) -> ReplayStore:
        """Replays of deliveries."""
        from functions.webhooks.deliveries.replay import ReplayStore

        return ReplayStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def recovery(self) -> Recovery:
        """Recovery of the deliveries of endpoints."""
        from functions.webhooks.deliveries.replay import Recovery

        return Recovery(self.delivery_list, self.replays, self.delivery_hints, self.clock, self.log, self.log_writer)

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

    @cached_property
    def outbox(self) -> Outbox:
        """The outbox, which publishes events without a submission."""
        from functions.webhooks.deliveries.publication import Outbox

        return Outbox(self.deliveries, self.endpoints, self.delivery_hints, self.event_bus, self.clock)

    @property
    def cards(self) -> Cards:
        """Messages for people, of the events of all parts."""
        raise NotImplementedError

    @cached_property
    def bodies(self) -> Bodies:
        """Bodies of events, as endpoints get them."""
        from functions.webhooks.sending.requests import Bodies

        return Bodies(self.cards, self.settings.public_base_url)

    @cached_property
    def egress(self) -> Egress:
        """Requests to receivers."""
        from functions.webhooks.target.egress import Egress

        settings = self.settings
        return Egress(allow_insecure=settings.allow_insecure_webhook_targets, own_host=settings.own_host)

    @cached_property
    def endpoint_secrets(self) -> EndpointSecrets:
        """Signing keys and headers of endpoints."""
        from functions.webhooks.sending.requests import EndpointSecrets

        return EndpointSecrets(self.secret_boxes)
