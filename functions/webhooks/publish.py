"""What an event owes: a delivery for each target, a hint of it, and a place on the bus.

Every write is idempotent, so whoever finds that it is not done (record, a repeated message, the sweeper) does it again.
"""

from dataclasses import asdict, dataclass, field, replace

from functions.clock import Clock, now_ms, to_rfc3339
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState, Event
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.event_bus import Bus


@dataclass(frozen=True, slots=True)
class RunTarget:
    """The webhook that a run brought along."""

    url: str = field(repr=False)
    secret_box: bytes = field(default=b"", repr=False)
    secret: str = field(default="", repr=False)  # of a submission's row of an older revision


@dataclass(frozen=True, slots=True)
class Outbox:
    """Parts that it needs."""

    deliveries: DeliveryStore
    endpoints: EndpointStore
    hints: DeliveryHints
    bus: Bus
    clock: Clock = now_ms

    def publish(self, event: Event, own_target: RunTarget | None = None, *, without: str | None = None) -> None:
        """Owe the event to the run's own target and to every endpoint of its project that wants it, then tell the bus.

        `without`: the endpoint that it is about. Raises what the bus raises; then nothing is lost, but it must be
        repeated.
        """
        owed = self._owed(event, own_target, without)
        if owed:
            # The bytes come first: a delivery without its event would be dropped as cancelled.
            kept = event if self.deliveries.put_event(event) else self.deliveries.get_event(event.event_id)
            if kept is None:  # the submission was deleted meanwhile: nobody hears of it any more
                return
            event = kept
            reach("fanout.after_event")
            for delivery in owed:
                self.deliveries.put_delivery(delivery)
                reach("fanout.after_delivery")
            self.hints.send_all([delivery for delivery in owed if delivery.state is DeliveryState.PENDING])
            reach("fanout.after_hint")
        self.bus.publish(event)
        reach("fanout.after_bus")

    def _owed(self, event: Event, own_target: RunTarget | None, without: str | None) -> list[Delivery]:
        now = self.clock()
        blank = Delivery(
            event_id=event.event_id,
            endpoint_id=RUN_ENDPOINT_ID,
            webhook_id=event.event_id,
            project_id=event.project_id,
            submission_id=event.submission_id,
            state=DeliveryState.PENDING,
            attempt=0,
            next_at_ms=now,
            created_at=to_rfc3339(now),
            event_type=event.type,
        )
        owed = [] if own_target is None else [replace(blank, **asdict(own_target))]
        for endpoint in self.endpoints.list_all(event.project_id):
            if endpoint.wants(event.type) and endpoint.endpoint_id != without:
                state = DeliveryState.PENDING if endpoint.enabled else DeliveryState.PAUSED
                owed.append(replace(blank, endpoint_id=endpoint.endpoint_id, state=state))
        return owed
