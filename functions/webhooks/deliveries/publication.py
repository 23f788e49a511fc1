"""The rows of one event, as actions of one transaction, and the hints to send after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import to_item
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import TTL_MS, Event
from functions.event_log.rows import event_row, list_row, new_row
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.webhooks.deliveries.rows import delivery_row, queue_row
from functions.webhooks.vocabulary import SUBMISSION_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.webhooks.endpoints.store import Subscribers


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
