"""The stores of endpoints, deliveries and events, and what claims and sends deliveries."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.files.deployment import FileDeployment

if TYPE_CHECKING:
    from functions.event_log.bus import Bus
    from functions.event_log.rows import LogWriter
    from functions.webhooks.alerts import DisabledEvents
    from functions.webhooks.cards import Cards
    from functions.webhooks.deliveries.hints import DeliveryHints
    from functions.webhooks.deliveries.lists import DeliveryList, Latencies
    from functions.webhooks.deliveries.publication import Outbox
    from functions.webhooks.deliveries.replay import Recovery, ReplayStore
    from functions.webhooks.deliveries.store import Deletions, DeliveryStore
    from functions.webhooks.egress import Egress
    from functions.webhooks.endpoints.health import HealthStore
    from functions.webhooks.endpoints.store import EndpointStore, SubscriberCache
    from functions.webhooks.sealed_secrets import EndpointSecrets, SecretBoxes
    from functions.webhooks.sending.claim import Claimer
    from functions.webhooks.sending.deliverer import Deliverer, UnguardedSends
    from functions.webhooks.sending.lanes import LaneStore, OrderedQueue
    from functions.webhooks.sending.leases import Snapshots
    from functions.webhooks.sending.requests import Bodies
    from functions.webhooks.sending.slots import LaneWaker
    from functions.webhooks.webhook_url import AddressRules


class WebhookDeployment(FileDeployment):
    """The stores of endpoints, deliveries and events. An entry point that sends bodies gives the `cards`."""

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

    @cached_property
    def endpoint_deletions(self) -> Deletions:
        """Deletions of endpoints, whose open deliveries are cancelled."""
        from functions.webhooks.deliveries.store import Deletions

        return Deletions(self.settings.deliveries_table, self.dynamodb, self.clock)

    def address_rules(self, request_host: str | None) -> AddressRules:
        """Return the rules for the URLs of a request: no webhook may call its host, or our own."""
        from functions.webhooks.webhook_url import AddressRules

        hosts = (request_host or "", self.settings.own_host)
        return AddressRules(self.settings.allow_insecure_webhook_targets, tuple(host for host in hosts if host))

    @cached_property
    def secret_boxes(self) -> SecretBoxes:
        """Secrets at rest."""
        from functions.aws.clients import Clients
        from functions.webhooks.sealed_secrets import SecretBoxes

        return SecretBoxes(self.settings.endpoint_secrets_key_id, Clients.kms, self.clock)

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
        from functions.event_log.rows import LogWriter

        return LogWriter(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def event_bus(self) -> Bus:
        """The event bus."""
        from functions.event_log.bus import Bus

        return self[Bus]

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
        from functions.webhooks.egress import Egress

        settings = self.settings
        return Egress(allow_insecure=settings.allow_insecure_webhook_targets, own_host=settings.own_host)

    @cached_property
    def endpoint_secrets(self) -> EndpointSecrets:
        """Signing keys and headers of endpoints."""
        from functions.webhooks.sealed_secrets import EndpointSecrets

        return EndpointSecrets(self.secret_boxes)


class SenderDeployment(WebhookDeployment):
    """What claims and sends deliveries."""

    @cached_property
    def lanes(self) -> LaneStore:
        """Lanes, and their parked deliveries."""
        from functions.webhooks.sending.lanes import LaneStore

        return LaneStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def ordered_queue(self) -> OrderedQueue:
        """Queues of ordered endpoints."""
        from functions.webhooks.sending.lanes import OrderedQueue

        return OrderedQueue(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def lane_waker(self) -> LaneWaker:
        """Hints for parked deliveries."""
        from functions.webhooks.sending.slots import LaneWaker, SlotStore, project_slots

        slots = SlotStore(self.settings.deliveries_table, self.dynamodb, self.clock)
        most = project_slots(self.settings.webhook_senders)
        return LaneWaker(self.lanes, slots, self.ordered_queue, self.delivery_hints, most, self.clock)

    @cached_property
    def snapshots(self) -> Snapshots:
        """Reads of deliveries with their targets."""
        from functions.webhooks.sending.leases import Snapshots

        return Snapshots(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def unguarded_sends(self) -> UnguardedSends:
        """Sends without a lease and a slot."""
        from functions.webhooks.sending.deliverer import UnguardedSends

        senders = self.settings.webhook_senders_of_process
        return UnguardedSends(self.snapshots, self.lanes, senders, self.clock)

    @cached_property
    def claimer(self) -> Claimer:
        """Claims of deliveries."""
        from functions.webhooks.sending.claim import Candidates, Claimer
        from functions.webhooks.sending.leases import Leases, Parking

        table, dynamodb, clock = self.settings.deliveries_table, self.dynamodb, self.clock
        parking = Parking(table, dynamodb, clock)
        return Claimer(
            candidates=Candidates(self.snapshots, parking, self.lanes, self.ordered_queue, self.replays, clock),
            leases=Leases(table, dynamodb, clock),
            parking=parking,
            hints=self.delivery_hints,
            lane_waker=self.lane_waker,
            clock=clock,
        )

    @cached_property
    def endpoint_health(self) -> HealthStore:
        """The health of endpoints."""
        from functions.webhooks.endpoints.health import HealthStore

        return HealthStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def disabled_events(self) -> DisabledEvents:
        """Events about endpoints that failures disabled."""
        from functions.webhooks.alerts import DisabledEvents

        return DisabledEvents(self.endpoint_health, self.outbox)

    @cached_property
    def deliverer(self) -> Deliverer:
        """The sender of deliveries."""
        from functions.webhooks.endpoints.health import SuccessCounts
        from functions.webhooks.sending.attempts import Attempts
        from functions.webhooks.sending.deliverer import Deliverer
        from functions.webhooks.sending.requests import RequestSigner
        from functions.webhooks.vocabulary import Schedule

        return Deliverer(
            claimer=self.claimer,
            unguarded=self.unguarded_sends,
            deliveries=self.deliveries,
            attempts=Attempts(self.settings.deliveries_table, self.dynamodb, self.clock),
            success_counts=SuccessCounts(self.settings.deliveries_table, self.dynamodb, self.clock),
            hints=self.delivery_hints,
            signer=RequestSigner(self.secret_boxes, self.bodies),
            announce_disabled=self.disabled_events.publish,
            egress=self.egress,
            schedule=Schedule(self.settings.webhook_retry_secs),
            clock=self.clock,
        )
