"""What claims and sends deliveries."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.webhooks.deployment import WebhookDeployment

if TYPE_CHECKING:
    from functions.webhooks.alerts import DisabledEvents
    from functions.webhooks.endpoints.health import HealthStore
    from functions.webhooks.sending.claim import Claimer
    from functions.webhooks.sending.deliverer import Deliverer, UnguardedSends
    from functions.webhooks.sending.lanes import LaneStore, OrderedQueue
    from functions.webhooks.sending.leases import Snapshots
    from functions.webhooks.sending.slots import LaneWaker


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
