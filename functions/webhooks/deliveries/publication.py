"""The rows of one event, as actions of one transaction, and the outbox, which writes them and sends the hints."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import to_item
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.event_log.model import TTL_MS, Event
from functions.event_log.rows import event_row, list_row, new_row
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.webhooks.deliveries.rows import delivery_row, queue_row
from functions.webhooks.endpoints.store import Subscribers
from functions.webhooks.vocabulary import SUBMISSION_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.event_log.bus import Bus
    from functions.webhooks.deliveries.hints import DeliveryHints
    from functions.webhooks.deliveries.store import DeliveryStore
    from functions.webhooks.endpoints.store import EndpointStore


@dataclass(frozen=True, slots=True)
class RunTarget:
    """A run's own webhook: `webhook_url` and its sealed secret."""

    url: str = field(repr=False)
    secret_box: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Publication:
    """`actions`: they put the event's row, then its deliveries, queue rows, list row and log entry; at most 74 in all.

    An event without a target has no action. The actions fail if the event exists, or if its submission was deleted.
    Send `hints` after the transaction. The sweeper replaces a lost hint.
    """

    actions: tuple[Any, ...] = ()
    hints: tuple[Hint, ...] = ()


def plan_publication(
    table_name: str,
    event: Event,
    subscribers: Subscribers,
    run_target: RunTarget | None,
    now_ms: int,
) -> Publication:
    """Plan the rows and hints of an event. `table_name`: the deliveries table.

    Targets: the run's own URL, and every endpoint that subscribes. A disabled endpoint gets a paused delivery without a
    hint. The event of a submission's end needs no list row: its submission is listed.
    """
    ttl = (now_ms + TTL_MS) // MS_PER_SEC
    deliveries = tuple(_deliveries(event, subscribers, run_target, now_ms))
    rows = [delivery_row(delivery, ttl) for delivery in deliveries]
    ordered = {endpoint.endpoint_id for endpoint in subscribers.endpoints if endpoint.ordered}
    rows += [queue_row(delivery, ttl) for delivery in deliveries if delivery.endpoint_id in ordered]
    if event.type not in SUBMISSION_EVENTS:
        rows.append(list_row(event, now_ms, ttl))
    if subscribers.is_logged(now_ms):
        rows.append(new_row(event, now_ms))
    if not rows:
        return Publication()
    rows.insert(0, event_row(event, ttl))
    pending = (delivery for delivery in deliveries if delivery.state is DeliveryState.PENDING)
    return Publication(
        tuple(put(table_name, to_item(row), ABSENT) for row in rows),
        tuple(Hint.of_new(delivery, event.body) for delivery in pending),
    )


def _deliveries(
    event: Event, subscribers: Subscribers, run_target: RunTarget | None, now_ms: int
) -> Iterable[Delivery]:
    blank = Delivery(
        event_id=event.event_id,
        endpoint_id=RUN_ENDPOINT_ID,
        project_id=event.project_id,
        submission_id=event.submission_id,
        state=DeliveryState.PENDING,
        attempt=0,
        next_at_ms=now_ms,
        created_at=to_rfc3339(now_ms),
        event_type=event.type,
        body_digest=event.digest,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
    )
    if run_target is not None:
        yield replace(blank, **asdict(run_target))
    for endpoint in subscribers.endpoints:
        if endpoint.wants(event.type):
            state = DeliveryState.PENDING if endpoint.enabled else DeliveryState.PAUSED
            yield replace(blank, endpoint_id=endpoint.endpoint_id, state=state)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Publishes events: stores one with its deliveries in one transaction, sends hints, and puts it on the bus.

    Every write is idempotent, so the sweeper may repeat the call. `submissions.completion` writes the rows of a
    finished run together with its final state; it uses `plan_publication` itself.
    """

    deliveries: DeliveryStore
    endpoints: EndpointStore
    hints: DeliveryHints
    bus: Bus
    clock: Clock = now_ms

    def publish(self, event: Event, *, skip_endpoint_id: str | None = None, only: frozenset[str] = frozenset()) -> None:
        """Write the event and its deliveries, send their hints, then put the event on the bus.

        Targets: every endpoint that subscribes, except `skip_endpoint_id`. `only`: ids of the endpoints that may get
        it; all may if none of these is there, so that no mistake hides an event. Raises the errors of the tables, the
        queue and the bus. Nothing is lost then: the caller repeats the call.
        """
        subscribers = self.endpoints.subscribers(event.project_id).among(only).without(skip_endpoint_id)
        stored = self._store(event, subscribers, None)
        if stored is None:  # the submission was deleted meanwhile
            return
        self.bus.publish(stored)
        reach("publish.after_bus")

    def send(self, event: Event, target: RunTarget) -> None:
        """Write an event that only one URL gets, with its delivery, and send the hint. Raises as `publish` does."""
        self._store(event, Subscribers(), target)

    def _store(self, event: Event, subscribers: Subscribers, target: RunTarget | None) -> Event | None:
        """Write an event and its deliveries unless they are there, and send their hints; return it as it is stored."""
        plan = plan_publication(self.deliveries.table_name, event, subscribers, target, self.clock())
        hints: Sequence[Hint] = plan.hints
        if not self.deliveries.put_publication(plan):
            kept = self.deliveries.get_event(event.event_id)
            if kept is None:
                return None
            event = kept  # a rendering of this revision may have other bytes
            hints = self.deliveries.pending_hints(event.event_id)
        reach("publish.after_rows")
        self.hints.send_all(hints)
        reach("publish.after_hint")
        return event
