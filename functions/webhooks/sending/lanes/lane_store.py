"""Parked deliveries, and the waiting marks on lanes and projects that lead senders and the sweeper to them.

The index `waiting` holds parked deliveries by lane and time, and lags by about a second. A sender may miss a new entry.
The sweeper finds it, because the lane stays marked and is due every minute.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import DUE_SHARDS
from functions.aws.dynamodb.items import Value, from_item, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.webhooks.deliveries import rows
from functions.webhooks.deliveries.due import LANE_PREFIX
from functions.webhooks.deliveries.model import HINTED_MS
from functions.webhooks.endpoints.rows import endpoint_key, endpoint_pk
from functions.webhooks.sending.lanes.lane import FAILED_GUARD_MS, SLOW_GUARD_MS, STALE_MS, Lane, is_unanswered
from functions.webhooks.sending.lanes.lane_rows import LANE_TTL_SECS, lane_key, to_lane
from functions.webhooks.target.hosts import host_of

if TYPE_CHECKING:
    from functions.webhooks.deliveries.due import DueLane
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.vocabulary.reply import Reply

_DUE = ("due_shard", "due_at_ms")


class LaneStore(Table):
    """Reads and clears waiting marks. Methods that may lose a race return False or None."""

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
        return [rows.ids_of(from_item(item)) for item in answer["Items"]]

    def take_out(self, event_id: str, endpoint_id: str, hinted_for_ms: int) -> Delivery | None:
        """Take a delivery out of its lane, because it gets a hint; None if it is no longer parked."""
        update = ConditionalUpdate(
            {"due_at_ms": hinted_for_ms + HINTED_MS}, "attribute_exists(#lane_ref)", {}, ("lane_ref",)
        )
        row = self._update(update, rows.delivery_key(event_id, endpoint_id))
        return rows.to_delivery(row) if row is not None else None

    def push_back(self, due: DueLane, due_at_ms: int) -> Lane | None:
        """Move the due key of a lane, which keeps the row; None for a stale entry."""
        sets: dict[str, Value] = {"due_at_ms": due_at_ms, "ttl": self._clock() // MS_PER_SEC + LANE_TTL_SECS}
        update = ConditionalUpdate(sets, "#due_at_ms = :read", {"read": due.due_at_ms})
        row = self._update(update, lane_key(due.project_id, due.name))
        return to_lane(row) if row is not None else None

    def is_disabled(self, lane: Lane) -> bool:
        """Whether the endpoint of a lane exists and is disabled."""
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
        update = ConditionalUpdate({}, "#waiting_ms = :read", {"read": lane.waiting_ms}, ("waiting_ms", *_DUE))
        self._update_unread(update, lane_key(lane.project_id, lane.name))


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
