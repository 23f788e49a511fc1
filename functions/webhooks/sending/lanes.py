"""Lanes: queues of deliveries to one target: an endpoint, or one host for runs with their own URL.

Deliveries without a free send slot wait in their lane, oldest first. Each lane has a circuit breaker. It opens after
FAILURES_TO_OPEN sends without a response. Then one probe at a time is sent, until one gets a response.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, from_item, key, to_item
from functions.aws.dynamodb.table import DUE_SHARDS, Table, query_pages
from functions.clock import MS_PER_SEC
from functions.webhooks.deliveries.model import (
    HINTED_MS,
    NOT_SENT,
    RUN_ENDPOINT_ID,
    UNSENDABLE_CODES,
    Delivery,
    DeliveryState,
)
from functions.webhooks.deliveries.store import (
    DUE,
    LANE_PREFIX,
    LIVE,
    DueLane,
    delivery_key,
    ids_of,
    ids_of_lane,
    queue_pk,
    queue_sk,
    to_delivery,
)
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, Endpoint
from functions.webhooks.endpoints.store import endpoint_key, endpoint_pk
from functions.webhooks.vocabulary import Reply
from functions.webhooks.webhook_url import host_of

FAILURES_TO_OPEN = 3
FIRST_PROBE_MS = 15_000
"""Pause before the first probe. Later pauses are half of the time since the first failure."""
LONGEST_PROBE_MS = 300_000
FRESH_MS = 10_000
"""A waiting mark older than this is renewed."""
STALE_MS = 60_000
"""A waiting mark older than this is cleared if nothing waits. An invocation is shorter than STALE_MS - FRESH_MS, so a
delivery that was parked while the mark was fresh is never lost."""


SLOW_GUARD_MS = 86_400_000
"""A lane is guarded for this long after an unguarded send without an answer in a second.

Such a send ends after three seconds, so a receiver that is always slow gets one event a day twice.
"""
FAILED_GUARD_MS = 600_000
"""A lane of runs' own URLs is guarded for this long after a failed send: its owner may not want any."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a project. `most`: limit of concurrent sends. `waiting_ms`: last time a delivery was parked, or None.

    `failures`: sends without a response since the last response, at least. `failing_since_ms`: time of the first.
    `is_ordered`: of an ordered endpoint. `current`: the event of its delivery that was begun last.
    `guarded_until_ms`: until then each send needs a lease and a slot, because one was slow or failed.
    """

    project_id: str
    name: str
    host: str
    most: int = DEFAULT_CONCURRENCY
    waiting_ms: int | None = None
    failures: int = 0
    failing_since_ms: int = 0
    probe_at_ms: int = 0
    is_ordered: bool = False
    current: str | None = None
    guarded_until_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker is open."""
        return self.failures >= FAILURES_TO_OPEN

    @property
    def limit(self) -> int:
        """Limit of concurrent sends now: one probe while the circuit breaker is open."""
        return 1 if self.is_open else self.most

    @property
    def ref(self) -> str:
        """Its name among all projects, and partition key of the `waiting` index."""
        return f"{self.project_id}#{self.name}"

    def is_marked(self, now_ms: int) -> bool:
        return self.waiting_ms is not None and now_ms - self.waiting_ms < FRESH_MS

    def next_probe_ms(self, now_ms: int) -> int:
        """Return the time of the next probe after a send that failed now."""
        failing_ms = now_ms - self.failing_since_ms if self.failures else 0
        return now_ms + min(max(FIRST_PROBE_MS, failing_ms // 2), LONGEST_PROBE_MS)


def lane_name(delivery: Delivery, host: str) -> str:
    """Return the name of a delivery's lane within its project."""
    return delivery.endpoint_id if delivery.endpoint_id != RUN_ENDPOINT_ID else run_lane_name(host)


def run_lane_name(host: str) -> str:
    """Return the name of the lane of runs that send to `host`."""
    return f"{RUN_ENDPOINT_ID}#{host}"


def max_concurrent_sends(endpoint: Endpoint | None) -> int:
    """Return the limit of concurrent sends of a lane. With a rate limit, each slot starts one send per second."""
    if endpoint is None:
        return DEFAULT_CONCURRENCY
    return 1 if endpoint.ordered else min(endpoint.max_concurrency, endpoint.max_per_second or endpoint.max_concurrency)


def is_unanswered(reply: Reply) -> bool:
    """Whether a send got no response: timeout, refused or reset connection, TLS or DNS failure."""
    return reply.error_code is not None and reply.error_code not in UNSENDABLE_CODES | {NOT_SENT}


# Items of lanes, in the deliveries table: one row per lane.

LANE_TTL_SECS = 86_400


def lane_key(project_id: str, name: str) -> dict[str, Any]:
    """Return the key of a lane's row. The row exists while deliveries wait or sends fail, and a day longer."""
    return key(endpoint_pk(project_id), LANE_PREFIX + name)


def to_lane(row: Mapping[str, Any]) -> Lane:
    """Convert a lane's row."""
    project_id, name = ids_of_lane(row)
    is_run = name.startswith(f"{RUN_ENDPOINT_ID}#")
    return Lane(
        project_id,
        name,
        name.partition("#")[2] if is_run else row.get("host", ""),
        row.get("most", DEFAULT_CONCURRENCY),
        row.get("waiting_ms"),
        row.get("failures", 0),
        row.get("failing_since_ms", 0),
        row.get("probe_at_ms", 0),
        row.get("ordered", False),
        row.get("current"),
        row.get("guarded_until_ms", 0),
    )


# Parked deliveries, and the waiting marks on lanes and projects that lead senders and the sweeper to them.
#
# The index `waiting` holds parked deliveries by lane and time, and lags by about a second. A sender may miss a new
# entry. The sweeper finds it, because the lane stays marked and is due every minute.
#
# The queue of an ordered endpoint has a small row for each of its deliveries that is not final, oldest first. The
# transaction that stores an event puts the row. A consistent query finds the oldest, which the index could miss. Rows
# of final deliveries are removed when the next delivery is looked for.

_NOT_FINAL = frozenset({*LIVE, DeliveryState.PAUSED})
_ITEMS_PER_QUERY = 10
MOST_COUNTED = 100


class LaneStore(Table):
    """Finds the deliveries that wait in a lane. Methods that may lose a race return False or None."""

    table_setting = "deliveries_table"

    def marked(self, project_id: str) -> tuple[list[Lane], bool]:
        """Return the marked lanes of a project, and whether these are all. The read is consistent."""
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            FilterExpression="attribute_exists(waiting_ms)",
            ExpressionAttributeValues=to_item({":pk": endpoint_pk(project_id), ":prefix": LANE_PREFIX}),
            ConsistentRead=True,
        )
        return [to_lane(from_item(item)) for item in answer["Items"]], "LastEvaluatedKey" not in answer

    def oldest(self, lane: Lane, limit: int, before_ms: int | None = None) -> list[tuple[str, str]]:
        """Return event id and endpoint id of a lane's oldest parked deliveries, before `before_ms` if given."""
        condition, values = "lane_ref = :lane", {":lane": lane.ref}
        bound: dict[str, Value | None] = {}
        if before_ms is not None:
            condition += " AND lane_at_ms < :before"
            bound = {":before": before_ms}
        answer = self._client.query(
            TableName=self.table_name,
            IndexName="waiting",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item({**values, **bound}),
            Limit=limit,
        )
        return [ids_of(from_item(item)) for item in answer["Items"]]

    def take_out(self, event_id: str, endpoint_id: str, hinted_for_ms: int) -> Delivery | None:
        """Take a delivery out of its lane, because it gets a hint; None if it is no longer parked."""
        update = ConditionalUpdate(
            {"due_at_ms": hinted_for_ms + HINTED_MS}, "attribute_exists(#lane_ref)", {}, ("lane_ref",)
        )
        row = self._update(update, delivery_key(event_id, endpoint_id))
        return to_delivery(row) if row is not None else None

    def push_back(self, due: DueLane, due_at_ms: int) -> Lane | None:
        """Move the due key of a lane, which keeps the row; None for a stale entry."""
        sets: dict[str, Value] = {"due_at_ms": due_at_ms, "ttl": self._clock() // MS_PER_SEC + LANE_TTL_SECS}
        update = ConditionalUpdate(sets, "#due_at_ms = :read", {"read": due.due_at_ms})
        row = self._update(update, lane_key(due.project_id, due.name))
        return to_lane(row) if row is not None else None

    def is_disabled(self, lane: Lane) -> bool:
        endpoint = self._get(endpoint_key(lane.project_id, lane.name))
        return endpoint is not None and not endpoint["enabled"]

    def guard(self, lane: Lane) -> None:
        """Guard a lane with a slow send for SLOW_GUARD_MS."""
        until_ms = self._clock() + SLOW_GUARD_MS
        sets: dict[str, Value] = {"host": lane.host, "guarded_until_ms": until_ms, "ttl": until_ms // MS_PER_SEC}
        self._update_unread(ConditionalUpdate(sets, "", {}), lane_key(lane.project_id, lane.name))

    def clear(self, lane: Lane) -> None:
        """Clear the mark of an empty lane, unless the index may lag behind the mark."""
        if lane.waiting_ms is None or self._clock() - lane.waiting_ms < STALE_MS:
            return
        update = ConditionalUpdate({}, "#waiting_ms = :read", {"read": lane.waiting_ms}, ("waiting_ms", *DUE))
        self._update_unread(update, lane_key(lane.project_id, lane.name))

    def of(self, delivery: Delivery) -> Lane | None:
        """Return the lane of a delivery; None if it has no row, because nothing waits there or fails."""
        row = self._get(lane_key(delivery.project_id, lane_name(delivery, host_of(delivery.url))))
        return None if row is None else to_lane(row)

    def count_before(self, lane: Lane, lane_at_ms: int) -> int:
        """Return how many deliveries of a lane have been parked for longer, up to MOST_COUNTED."""
        values: dict[str, Value] = {":lane": lane.ref, ":at": lane_at_ms}
        return self._count("lane_ref = :lane AND lane_at_ms < :at", values, IndexName="waiting")

    def count_in_order(self, delivery: Delivery) -> int:
        """Return how many deliveries an ordered endpoint gets before this one, up to MOST_COUNTED."""
        values: dict[str, Value] = {
            ":pk": queue_pk(delivery.project_id, delivery.endpoint_id),
            ":sk": queue_sk(delivery),
        }
        return self._count("pk = :pk AND sk < :sk", values)

    def _count(self, condition: str, values: Mapping[str, Value], **index: Any) -> int:
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            Select="COUNT",
            Limit=MOST_COUNTED,
            **index,
        )
        return int(answer["Count"])

    def has_place(self, delivery: Delivery) -> bool:
        """Whether a delivery has a place in its ordered queue. One that was replayed after its end has none."""
        return self._get(key(queue_pk(delivery.project_id, delivery.endpoint_id), queue_sk(delivery))) is not None

    def first(self, lane: Lane) -> Delivery | None:
        """Return the next delivery in order: the one that was begun last, until it is final; then the oldest."""
        begun = None if lane.current is None else self._delivery(lane.current, lane.name)
        if begun is not None and begun.state in _NOT_FINAL:
            return begun
        pages = query_pages(
            self._client,
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": queue_pk(lane.project_id, lane.name)}),
            ConsistentRead=True,
            Limit=_ITEMS_PER_QUERY,
        )
        for item in (item for page in pages for item in page["Items"]):
            delivery = self._delivery(from_item(item)["sk"].partition("#")[2], lane.name)
            if delivery is not None and delivery.state in _NOT_FINAL:
                return delivery
            # A query may show a part of a transaction: then the delivery is not there yet, and keeps its place.
            if delivery is not None:
                self._client.delete_item(TableName=self.table_name, Key={"pk": item["pk"], "sk": item["sk"]})
        return None

    def _delivery(self, event_id: str, endpoint_id: str) -> Delivery | None:
        row = self._get(delivery_key(event_id, endpoint_id))
        return to_delivery(row) if row is not None else None


def mark_lane(lane: Lane, now_ms: int) -> ConditionalUpdate:
    """Mark a lane that has a parked delivery. The sweeper checks a marked lane every minute."""
    ordered: dict[str, Value] = {"ordered": True} if lane.is_ordered else {}
    return ConditionalUpdate(
        {
            "host": lane.host,
            "most": lane.most,
            "waiting_ms": now_ms,
            "due_shard": lane_shard(lane),
            "ttl": now_ms // MS_PER_SEC + LANE_TTL_SECS,
            **ordered,
        },
        "",
        {"due": now_ms + STALE_MS},
        computed=("#due_at_ms = if_not_exists(#due_at_ms, :due)",),
    )


def close_breaker(now_ms: int) -> ConditionalUpdate:
    """Build the update that resets the failures of a lane."""
    sets: dict[str, Value] = {"ttl": now_ms // MS_PER_SEC + LANE_TTL_SECS}
    return ConditionalUpdate(sets, "", {}, ("failures", "failing_since_ms", "probe_at_ms"))


def lane_actions(table_name: str, lane: Lane, endpoint: Endpoint | None, reply: Reply, now_ms: int) -> list[Any]:
    """Count a send without a response for the circuit breaker; a response closes it.

    A failed send to a run's own URL guards its lane, as the failures of an endpoint guard the endpoint's.
    """
    key = lane_key(lane.project_id, lane.name)
    if is_unanswered(reply):
        sets: dict[str, Value] = {
            "host": lane.host,
            "probe_at_ms": lane.next_probe_ms(now_ms),
            "ttl": now_ms // MS_PER_SEC + LANE_TTL_SECS,
        }
        computed = (
            "#failures = if_not_exists(#failures, :zero) + :one",
            "#failing_since_ms = if_not_exists(#failing_since_ms, :now)",
        )
        update = ConditionalUpdate(sets, "", {"zero": 0, "one": 1, "now": now_ms}, computed=computed)
        return [update.action(table_name, key)]
    if reply.error_code is not None:
        return []  # nothing was sent
    if endpoint is None and not reply.is_success and lane.guarded_until_ms <= now_ms:
        guard: dict[str, Value] = {"guarded_until_ms": now_ms + FAILED_GUARD_MS}
        update = close_breaker(now_ms)
        return [replace(update, sets={**update.sets, **guard}).action(table_name, key)]
    if lane.failures or (endpoint is not None and endpoint.failing is not None and reply.is_success):
        return [close_breaker(now_ms).action(table_name, key)]
    return []


def note_current(lane: Lane, event_id: str, now_ms: int) -> ConditionalUpdate:
    """Build the update that notes which delivery of an ordered lane is begun, if none was since `lane` was read.

    The lane is marked, so that the sweeper goes on if the sender ends before the next delivery.
    """
    mark = mark_lane(lane, now_ms)
    current: dict[str, Value] = {} if lane.current is None else {"read_current": lane.current}
    condition = "#current = :read_current" if current else "attribute_not_exists(#current)"
    return replace(
        mark,
        sets={**mark.sets, "current": event_id},
        condition=condition,
        condition_values={**mark.condition_values, **current},
    )


def resume_lane(table_name: str, endpoint: Endpoint, now_ms: int) -> Any:
    """Return the action that resets the failures of an endpoint's lane, because the endpoint is enabled."""
    lane = Lane(endpoint.project_id, endpoint.endpoint_id, host_of(endpoint.url), is_ordered=endpoint.ordered)
    resumed = _resume_ordered(lane, now_ms) if endpoint.ordered else close_breaker(now_ms)
    return resumed.action(table_name, lane_key(lane.project_id, lane.name))


def _resume_ordered(lane: Lane, now_ms: int) -> ConditionalUpdate:
    """Build the update that resets the failures of an ordered lane, and makes it due: its endpoint is enabled."""
    mark = mark_lane(lane, now_ms)
    sets = {**mark.sets, "due_at_ms": now_ms}
    return ConditionalUpdate(sets, "", {}, close_breaker(now_ms).removes)


def lane_shard(lane: Lane) -> str:
    """Return the lane's partition of the due index."""
    return DUE_SHARDS[sum(lane.ref.encode()) % len(DUE_SHARDS)]
