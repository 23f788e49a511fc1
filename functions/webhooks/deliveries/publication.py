"""The rows of one event, as actions of one transaction, and the outbox, which writes them and sends the hints."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from events import MessageInvalidError
from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import to_item
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.bus import Bus
from functions.event_log.model import TTL_MS, Event
from functions.event_log.rows import event_row, list_row, new_row
from functions.failpoint import reach
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState, first_state
from functions.webhooks.deliveries.store import DeliveryStore, delivery_row, endpoint_ref, queue_row
from functions.webhooks.endpoints.model import BodyFormat
from functions.webhooks.endpoints.store import EndpointStore, Subscribers
from functions.webhooks.vocabulary import DOWN_STATES, EVENT_CHECK_CHANGED, SUBMISSION_EVENTS
from functions.webhooks.webhook_url import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from functions.env import Env

# Hints: queue messages that name a due delivery. The row decides, so a lost hint costs time and no delivery.
#
# The hint that a publication sends carries the new delivery and the event's bytes. While it is fresh, a sender may
# use both without a read (`UnguardedSends`). So only roles that write the deliveries table may send to its queue.

MAX_BODY_BYTES = 64 * 1024
"""A sender reads a larger body from the event's row."""
_MESSAGES_PER_CALL = 10
MAX_CALL_BYTES = 256 * 1024
"""Limit for all messages of a call. SQS allows 1 MiB since 2025; some partitions and emulators still have 256 KiB.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""
_TRIES = 3
REPEATED_DELAY_MS = 6_000
"""Delay of a second first hint. By then, an unguarded send of the first one has ended: it takes 5.1 s after the
publication at most, and has no lease that a second sender could see (`UnguardedSends`)."""


_HINTED = frozenset({DeliveryState.TRANSFORMING, DeliveryState.PENDING})
"""States of a new delivery that has a hint."""


class _NewDelivery(msgspec.Struct, omit_defaults=True):
    """A delivery before its first attempt, beside its ids. Earlier builds need the first two."""

    next_at_ms: int
    secret_box: bytes
    submission_id: str = ""
    event_type: str = ""
    created_at: str = ""
    correlation_id: str = ""
    traceparent: str = ""
    url: str = ""
    is_transformed: bool = False


class _Message(msgspec.Struct, omit_defaults=True):
    """A message of the queue. Bytes are base64, because SQS refuses some characters that a program may print.

    `transforms`: the delivery waits for its transform. Then, and with a body by one, `waiting` and `written` are in the
    place of `new` and `body`, so that an earlier build never sends either as the event.
    """

    event_id: str
    endpoint_id: str
    project_id: str
    host: str = ""
    new: _NewDelivery | None = None
    body: bytes = b""
    transforms: bool = False
    waiting: _NewDelivery | None = None
    written: bytes = b""


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint. `host`: host of a run's own URL; "" if unknown.

    `new`: the delivery before its first attempt, in the hint that its publication sends. `body`: the event's bytes; b""
    if unknown. `delay_ms`: the message is invisible for so long; it is not in the message.
    `transforms`: the delivery waits for its transform.
    """

    event_id: str
    endpoint_id: str
    project_id: str
    host: str = ""
    new: Delivery | None = None
    body: bytes = field(default=b"", repr=False)
    delay_ms: int = 0
    transforms: bool = False

    @property
    def log_ids(self) -> dict[str, Any]:
        """The ids of a log line about this hint."""
        return {"correlation_id": self.event_id} if self.new is None else self.new.log_ids

    @classmethod
    def of(cls, delivery: Delivery, body: bytes = b"") -> Hint:
        """Return a hint that names a delivery, with the event's bytes if they are known and not too large."""
        kept = body if len(body) <= MAX_BODY_BYTES and not delivery.is_transformed else b""
        ids, transforms = (delivery.event_id, delivery.endpoint_id, delivery.project_id), DeliveryState.TRANSFORMING
        return cls(*ids, host_of(delivery.url), None, kept, transforms=delivery.state is transforms)

    @classmethod
    def of_new(cls, delivery: Delivery, body: bytes) -> Hint:
        """Return the first hint of a new delivery, or of one with a new body."""
        return replace(cls.of(delivery), new=delivery, body=body if len(body) <= MAX_BODY_BYTES else b"")

    @property
    def without_new(self) -> Hint:
        """The hint for a sender that must read the row."""
        return replace(self, new=None, body=b"" if self._is_written else self.body)

    @property
    def _is_written(self) -> bool:
        return self.new is not None and self.new.is_transformed

    def body_of(self, delivery: Delivery) -> bytes:
        """Return the bytes if they are those of the delivery, which may be an older one of the same lane; else b""."""
        is_same = bool(self.body) and hashlib.sha256(self.body).digest() == delivery.body_digest
        return self.body if is_same else b""

    @classmethod
    def parse(cls, text: str) -> Hint:
        """Parse the text of a message. Raises MessageInvalidError."""
        try:
            message = msgspec.json.decode(text, type=_Message)
        except (msgspec.MsgspecError, UnicodeError):
            raise MessageInvalidError("", "the hint has no event_id, endpoint_id and project_id") from None
        ids: dict[str, Any] = {name: getattr(message, name) for name in ("event_id", "endpoint_id", "project_id")}
        new, state = None, DeliveryState.TRANSFORMING if message.transforms else DeliveryState.PENDING
        if (given := message.waiting or message.new) is not None:
            new = Delivery(**ids, state=state, attempt=0, **msgspec.structs.asdict(given))
        body = message.body or message.written
        return cls(**ids, host=message.host, new=new, body=body, transforms=message.transforms)

    @property
    def text(self) -> str:
        """Text of the message, in ASCII."""
        new = None
        if self.new is not None:
            new = _NewDelivery(*(getattr(self.new, name) for name in _NewDelivery.__struct_fields__))
        message = _Message(self.event_id, self.endpoint_id, self.project_id, self.host, new, self.body, self.transforms)
        if self.transforms or self._is_written:
            message.new, message.waiting = None, new
        if self._is_written:
            message.body, message.written = b"", self.body
        return msgspec.json.encode(message).decode()


def pending_hints(deliveries: Sequence[Delivery]) -> list[Hint]:
    """Return hints of the deliveries that still wait for their first attempt; a sender reads them.

    They are delayed, because a sender may be sending by the first hint.
    """
    waiting = [each for each in deliveries if each.state in _HINTED and each.lane_at_ms is None]
    return [replace(Hint.of(each), delay_ms=REPEATED_DELAY_MS) for each in waiting if each.attempt == 0]


class DeliveryHints:
    """Sends hints to the deliveries queue. MessageGroupId is the project: a standard queue is then fair to projects."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    @classmethod
    def from_env(cls, env: Env) -> DeliveryHints:
        return cls(env.sqs, env.settings.deliveries_queue_url)

    def send(self, hint: Hint, delay_ms: int = 0) -> None:
        """Send the hint of a delivery that is due in `delay_ms` (0 to 900,000). Raises ClientError, BotoCoreError."""
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=hint.text,
            MessageGroupId=hint.project_id,
            DelaySeconds=_secs(delay_ms),
        )

    def send_all(self, hints: Sequence[Hint]) -> None:
        """Send hints of deliveries that are due now, as few calls as possible. Raises ClientError, BotoCoreError.

        A batch call may succeed while single messages fail. We send failed messages up to three times in all. After
        that the sweeper finds their rows.
        """
        for batch in _batches([(hint.text, hint) for hint in hints]):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(index),
                    "MessageBody": text,
                    "MessageGroupId": hint.project_id,
                    "DelaySeconds": _secs(hint.delay_ms),
                }
                for index, (text, hint) in enumerate(batch)
            ]
            for _ in range(_TRIES):
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
                failed = {failure["Id"] for failure in answer.get("Failed", [])}
                entries = [entry for entry in entries if entry["Id"] in failed]
                if not entries:
                    break


def _secs(delay_ms: int) -> int:
    return -(-delay_ms // MS_PER_SEC)  # rounded up: an early hint is useless


def _batches(messages: Sequence[tuple[str, Hint]]) -> Iterator[list[tuple[str, Hint]]]:
    """Split messages into calls: at most ten, and MAX_CALL_BYTES together."""
    batch: list[tuple[str, Hint]] = []
    total_bytes = 0
    for message in messages:
        size = len(message[0])  # the text is ASCII
        if batch and (len(batch) == _MESSAGES_PER_CALL or total_bytes + size > MAX_CALL_BYTES):
            yield batch
            batch, total_bytes = [], 0
        batch.append(message)
        total_bytes += size
    if batch:
        yield batch


# Endpoints whose circuit breaker is open: the hint of each new delivery would only lead a sender to park it.
#
# On one machine a process both publishes and sends. Its senders note the lanes in which they park, and the next events
# put their deliveries parked. The mark of the lane, fresh when it was noted, leads the next sender and the sweeper to
# them. On AWS the publishers are other processes: they know of no lane, and send hints.

PARKED_AT_ONCE_MS = 5_000
"""Events park for so long after a sender, and no longer than until the lane's probe. STALE_MS is much longer."""
_MOST_OPEN = 1_000
_open_lanes: dict[str, tuple[int, int]] = {}


def note_open(lane_ref: str, now_ms: int, probe_at_ms: int) -> None:
    """Note that an endpoint's deliveries wait for a probe, and that its lane is marked."""
    if len(_open_lanes) >= _MOST_OPEN:
        _open_lanes.clear()
    _open_lanes[lane_ref] = (now_ms, min(probe_at_ms, now_ms + PARKED_AT_ONCE_MS))


def _is_open(lane_ref: str, now_ms: int) -> bool:
    noted_ms, until_ms = _open_lanes.get(lane_ref, (0, 0))
    return noted_ms <= now_ms < until_ms


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
    hint, and one whose circuit breaker is open a parked one, see `note_open`. The event of a submission's end needs no
    list row: its submission is listed.
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
    pending = (each for each in deliveries if each.state in _HINTED and each.lane_at_ms is None)
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
        if endpoint.wants(event.type) and (endpoint.format is not BodyFormat.EMAIL or is_turn(event)):
            state = first_state(blank, endpoint) if endpoint.enabled else DeliveryState.PAUSED
            ref = endpoint_ref(event.project_id, endpoint.endpoint_id)
            parked_ms = now_ms if state is DeliveryState.PENDING and _is_open(ref, now_ms) else None
            yield replace(blank, endpoint_id=endpoint.endpoint_id, state=state, lane_at_ms=parked_ms)


def is_turn(event: Event) -> bool:
    """Whether a mail tells it: of the changes of a check only the begin of an outage and its end, no reminder."""
    if event.type != EVENT_CHECK_CHANGED:
        return True
    values = json.loads(event.body)
    return (values["state"] in DOWN_STATES) != (values["previous_state"] in DOWN_STATES)


class Outbox:
    """Publishes events: stores one with its deliveries in one transaction, sends hints, and puts it on the bus.

    Every write is idempotent, so the sweeper may repeat the call. `submissions.completion` writes the rows of a
    finished run together with its final state; it uses `plan_publication` itself.
    """

    def __init__(self, env: Env) -> None:
        self.deliveries, self.endpoints = env[DeliveryStore], env[EndpointStore]
        self.hints, self.bus, self.clock = env[DeliveryHints], env[Bus], env.clock

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
            hints = pending_hints(self.deliveries.deliveries_of(event.event_id))
        reach("publish.after_rows")
        self.hints.send_all(hints)
        reach("publish.after_hint")
        return event
