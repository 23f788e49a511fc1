"""Attempts: one transaction writes an attempt, and its consequences for delivery, endpoint, lane and slot."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions import otlp
from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate, check, put
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.row_codec import changes, write
from functions.aws.dynamodb.table import Table, due_shard, tries
from functions.aws.dynamodb.transaction import Refusal, RowsContendedError, transact
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.alerts import count_blocked, count_exhausted
from functions.webhooks.deliveries.model import DeliveryState, Transition, adjust_for_endpoint, due_at
from functions.webhooks.deliveries.store import DUE, LEASE, WAITING, attempt_row, delivery_key, new_attempt
from functions.webhooks.endpoints.store import count, due_for_health, endpoint_key, failing_is, to_endpoint
from functions.webhooks.sending.lanes import is_unanswered, lane_actions
from functions.webhooks.sending.slots import NOBODY_WAITS, free, slots_key
from functions.webhooks.vocabulary import ALERT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.lanes import Lane
    from functions.webhooks.sending.slots import TakenSlot
    from functions.webhooks.vocabulary import Reply


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this sender sends: it has the lease, and a send slot. An unguarded one has neither.

    `slot` None with a lease: do not send it, only record a failed attempt. `others_wait`: other deliveries of this
    project wait for a slot. `endpoint`: as it was read about `began_ms`; None for a run's own URL. `body`: the event's
    bytes; b"" if not known yet.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    began_ms: int
    slot: TakenSlot | None = None
    others_wait: bool = False
    body: bytes = field(default=b"", repr=False)


def endpoint_actions(
    table_name: str, before: Endpoint | None, after: Endpoint | None, delivery: Delivery, reply: Reply, now_ms: int
) -> list[Any]:
    """Write the changed health and count a failed attempt, on condition that the row still matches `before`.

    A counted failure makes the row due, so that the sweeper looks at the endpoint's health. A send without a response
    checks the row also if nothing changes, because the circuit breaker counts it. A failure of an
    alert does not count: it must raise no alert. `SuccessCounts` counts successes. The due key of a disabled endpoint
    makes the sweeper publish `endpoint.disabled`.
    """
    if before is None or after is None:
        return []
    is_counted = before.enabled and not reply.is_success and delivery.event_type not in ALERT_EVENTS
    key = endpoint_key(before.project_id, before.endpoint_id)
    values: dict[str, Value] = {"was_enabled": before.enabled}
    condition = f"#enabled = :was_enabled AND {failing_is(before, values)}"
    if after == before and not is_counted:
        return [check(table_name, key, condition, values)] if is_unanswered(reply) else []
    sets, removes = changes(before, after)
    if before.enabled and not after.enabled:
        due = {"due_shard": due_shard(after.endpoint_id), "due_at_ms": now_ms}
        sets |= {"updated_at": after.disabled_at or "", **due}
    update = ConditionalUpdate(sets, condition, values, removes)
    if is_counted:
        update = count(update, before.traffic, now_ms, {"attempts": 1, "failures": 1})
        update = due_for_health(update, after.endpoint_id, now_ms) if after.enabled else update
    return [update.action(table_name, key)]


MAX_TRIES = 6


@dataclass(frozen=True, slots=True)
class Recorded:
    """Result of a record. `endpoint`: the endpoint with its new health; None if it was not written or for a run.

    `is_slot_free`: the slot was freed too. Otherwise the sender still has it, because deliveries of the project wait.
    """

    transition: Transition
    endpoint: Endpoint | None = None
    is_slot_free: bool = False


class Attempts(Table):
    """Records attempts, and changes delivery, endpoint, lane and slot with them."""

    table_setting = "deliveries_table"

    def record(
        self, claimed: ClaimedDelivery, reply: Reply, planned: Transition, rest_until_ms: int = 0
    ) -> Recorded | None:
        """Write attempt, delivery, endpoint, lane and slot; None if another sender may record, or it was cancelled.

        `planned` is the transition for the reply alone; a disabled endpoint may stop the retries. The slot is freed
        unless deliveries wait for it. The last try writes attempt and delivery only, because other senders may keep
        changing the other rows; the slot then expires. Raises RowsContendedError.
        """
        before, slot = claimed.endpoint, None if claimed.others_wait else claimed.slot
        for tried in tries(MAX_TRIES, self._sleep):
            is_last = tried + 1 == MAX_TRIES
            now = self._clock()
            after = None if before is None else before.after_reply(reply, now)
            transition = planned if claimed.endpoint is None or is_last else adjust_for_endpoint(planned, after)
            actions = self._of_delivery(claimed.delivery, reply, transition)
            if not is_last:
                actions |= {
                    "endpoint": endpoint_actions(self.table_name, before, after, claimed.delivery, reply, now),
                    "lane": lane_actions(self.table_name, claimed.lane, before, reply, now),
                    "slot": [] if slot is None else self._of_slot(slot, rest_until_ms),
                }
            refusal = self._write(actions)
            if refusal is None:
                return Recorded(transition) if is_last else Recorded(transition, after, slot is not None)
            if "delivery" in refusal.failed:
                return None
            if "slot" in refusal.failed:  # others wait for it
                slot = None
            elif claimed.endpoint is not None and refusal.failed:
                row = self._get(endpoint_key(claimed.endpoint.project_id, claimed.endpoint.endpoint_id))
                before = to_endpoint(row) if row is not None else None
        raise RowsContendedError

    def _write(self, actions: dict[str, Any]) -> Refusal | None:
        """Write all actions. The row of the delivery alone needs no transaction, which costs twice as much."""
        if any(group for name, group in actions.items() if name != "delivery"):
            return transact(self._client, actions)
        written, _ = self._try_update(**actions["delivery"]["Update"])
        return Refusal(frozenset({"delivery"}), frozenset()) if written is None else None

    def _of_delivery(self, delivery: Delivery, reply: Reply, transition: Transition) -> dict[str, Any]:
        now = self._clock()
        sets: dict[str, Value] = {"state": transition.state.value, "attempt": delivery.attempt + 1}
        removes: tuple[str, ...] = (*LEASE, *WAITING)
        if transition.next_at_ms is None:
            removes += (*DUE, "secret_box")
        else:
            sets |= {"next_at_ms": transition.next_at_ms, "due_at_ms": due_at(transition.next_at_ms, now)}
        attempt = new_attempt(delivery, reply, now)
        actions: dict[str, Any] = {}
        if delivery.attempt == 0 and transition.next_at_ms is None:
            # Nearly every delivery ends like this, so it costs no row of its own.
            sets["only_attempt"] = write(attempt)
        else:
            actions["attempt"] = put(self.table_name, to_item(attempt_row(delivery, attempt, now)))
        if delivery.event_type not in ALERT_EVENTS:
            if transition.state is DeliveryState.EXHAUSTED:
                actions["exhausted"] = count_exhausted(self.table_name, delivery, now)
            elif transition.state is DeliveryState.BLOCKED:
                actions["blocked"] = count_blocked(self.table_name, delivery, now)
        condition = "#state = :read_state AND #attempt = :read_attempt"
        values: dict[str, Value] = {"read_state": delivery.state.value, "read_attempt": delivery.attempt}
        update = ConditionalUpdate(sets, condition, values, removes)
        if delivery.lease_owner is not None:  # else the first attempt was unguarded
            update = update.only_if("#lease_owner = :me", {"me": delivery.lease_owner})
        key = delivery_key(delivery.event_id, delivery.endpoint_id)
        return {"delivery": update.action(self.table_name, key), **actions}

    def _of_slot(self, slot: TakenSlot, rest_until_ms: int) -> Any:
        update = free(slot, rest_until_ms, self._clock()).only_if(NOBODY_WAITS)
        return update.action(self.table_name, slots_key(slot.project_id))


def keep_attempt(delivery: Delivery, reply: Reply, service: str, now_ms: int) -> None:
    """Keep the span of an attempt, under that of the submission. `delivery`: as it was before the attempt."""
    trace = otlp.trace_of(delivery.submission_id, delivery.traceparent)
    if trace is None:
        return
    attempt = delivery.attempts_before + delivery.attempt + 1
    attributes: dict[str, str | int] = {
        "rustbox.event_id": delivery.event_id,
        "rustbox.endpoint_id": delivery.endpoint_id,
        "rustbox.attempt": attempt,
        "server.address": reply.host or "",  # never the URL: its path or query may hold a credential
    }
    if reply.status_code is not None:
        attributes["http.response.status_code"] = reply.status_code
    if reply.error_code is not None:
        attributes["error.type"] = reply.error_code
    otlp.keep(
        otlp.Span(
            trace.trace_id,
            otlp.span_id(delivery.event_id, delivery.endpoint_id, attempt),
            otlp.span_id(delivery.submission_id),
            "attempt",
            service,
            now_ms - reply.latency_ms,
            now_ms,
            attributes,
            has_failed=not reply.is_success,
            is_call=True,
        )
    )


EVERY_MS = 10_000
"""A process writes the row of an endpoint once in this time: at the first success, and with all others at its end."""
_MOST_ENDPOINTS = 10_000
_TRIES = 3

type Later = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds."""


def _in_thread(secs: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(secs, act)
    timer.daemon = True
    timer.start()


class SuccessCounts(Table):
    """Successes that this process counts for rates and alerts, and adds to the endpoints' rows now and then.

    Threads may share them. A process that dies loses the counts of at most EVERY_MS.
    """

    table_setting = "deliveries_table"

    def __init__(
        self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms, later: Later = _in_thread
    ) -> None:
        super().__init__(table_name, client, clock)
        self._later = later
        self._lock = threading.Lock()
        self._unwritten: Counter[tuple[str, str]] = Counter()
        self._lately = TtlCache[tuple[str, str], bool](EVERY_MS, _MOST_ENDPOINTS, clock)

    def add(self, endpoint: Endpoint) -> None:
        """Count one success of an endpoint, as the sender read it. An error of the table loses counts."""
        name = (endpoint.project_id, endpoint.endpoint_id)
        with self._lock:
            self._unwritten[name] += 1
            is_first, was_lately = self._unwritten[name] == 1, self._lately.get(name)
            if not was_lately:
                self._lately.keep(name, True)
        if not was_lately:
            self._write(endpoint)
        elif is_first:  # a frozen process of Lambda calls late: then the next success writes
            self._later(EVERY_MS / MS_PER_SEC, lambda: self._write(endpoint))

    def _write(self, endpoint: Endpoint) -> None:
        key, traffic = endpoint_key(endpoint.project_id, endpoint.endpoint_id), endpoint.traffic
        with self._lock:
            successes = self._unwritten.pop((endpoint.project_id, endpoint.endpoint_id), 0)
        with suppress(ClientError, BotoCoreError):
            for _ in range(_TRIES if successes else 0):
                update = count(ConditionalUpdate({}, EXISTS, {}), traffic, self._clock(), {"attempts": successes})
                if self._update_unread(update, key) or (row := self._get(key)) is None:
                    return
                traffic = to_endpoint(row).traffic  # another process has begun a new hour
