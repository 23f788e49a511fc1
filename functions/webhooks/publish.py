"""The outbox: store an event with its deliveries, send hints, and put the event on the bus.

Every write is idempotent, so `record`, a repeated message and the sweeper may repeat any step.
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
    """A run's own webhook: `webhook_url` and its sealed secret."""

    url: str = field(repr=False)
    secret_box: bytes = field(default=b"", repr=False)
    secret: str = field(default="", repr=False)  # of a submission's row of an older revision


@dataclass(frozen=True, slots=True)
class Outbox:
    """Publishes events. Its rows are written before anything is sent."""

    deliveries: DeliveryStore
    endpoints: EndpointStore
    hints: DeliveryHints
    bus: Bus
    clock: Clock = now_ms

    def publish(
        self, event: Event, run_target: RunTarget | None = None, *, skip_endpoint_id: str | None = None
    ) -> None:
        """Write the event and its deliveries, send their hints, then put the event on the bus.

        Targets: the run's own URL, and every endpoint of the project that subscribes, except `skip_endpoint_id`.
        Raises the errors of the bus. Nothing is lost then: the caller repeats the call.
        """
        planned = self._deliveries_of(event, run_target, skip_endpoint_id)
        if planned:
            # The event comes first: a sender cancels a delivery without its event.
            kept = event if self.deliveries.put_event(event) else self.deliveries.get_event(event.event_id)
            if kept is None:  # the submission was deleted meanwhile
                return
            event = kept
            reach("fanout.after_event")
            for delivery in planned:
                self.deliveries.put_delivery(delivery)
                reach("fanout.after_delivery")
            self.hints.send_all([delivery for delivery in planned if delivery.state is DeliveryState.PENDING])
            reach("fanout.after_hint")
        self.bus.publish(event)
        reach("fanout.after_bus")

    def _deliveries_of(
        self, event: Event, run_target: RunTarget | None, skip_endpoint_id: str | None
    ) -> list[Delivery]:
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
        planned = [] if run_target is None else [replace(blank, **asdict(run_target))]
        for endpoint in self.endpoints.list_all(event.project_id):
            if endpoint.wants(event.type) and endpoint.endpoint_id != skip_endpoint_id:
                state = DeliveryState.PENDING if endpoint.enabled else DeliveryState.PAUSED
                planned.append(replace(blank, endpoint_id=endpoint.endpoint_id, state=state))
        return planned
