"""Deliveries that wait in a lane, and the marks by which free senders and the sweeper find them.

The index `waiting` holds parked deliveries by lane and time. It follows the table within a second or so, and a parked
delivery that it does not show yet is found by the sweeper, for the lane stays marked and is due every minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import DUE_SHARDS
from functions.aws.dynamodb.items import Value, from_item, to_item
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.webhooks.deliveries import rows
from functions.webhooks.deliveries.model import HINTED_MS
from functions.webhooks.endpoints.rows import endpoint_pk
from functions.webhooks.sending.lane import STALE_MS, Lane
from functions.webhooks.sending.lane_rows import LANE_PREFIX, LANE_TTL_SECS, lane_key, slots_key, to_lane, to_slots

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.sending.slots import Slots

_DUE = ("due_shard", "due_at_ms")


class LaneStore:
    """Lanes and the slots row, as far as waiting goes. Methods that may lose a race return False or None."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table = table_name
        self._client = client
        self._clock = clock

    def slots(self, project_id: str) -> Slots:
        """Read the slots of a project consistently."""
        found = self._client.get_item(TableName=self._table, Key=slots_key(project_id), ConsistentRead=True)
        return to_slots(project_id, found.get("Item", {}))

    def marked(self, project_id: str) -> tuple[list[Lane], bool]:
        """Lanes of a project in which deliveries wait, and whether these are all; consistent."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            FilterExpression="attribute_exists(waiting_ms)",
            ExpressionAttributeValues=to_item({":pk": endpoint_pk(project_id), ":prefix": LANE_PREFIX}),
            ConsistentRead=True,
        )
        return [to_lane(item) for item in found["Items"]], "LastEvaluatedKey" not in found

    def oldest(self, lane: Lane, limit: int, before_ms: int | None = None) -> list[tuple[str, str]]:
        """Event id and endpoint id of the oldest deliveries that wait in a lane, if any `before_ms`."""
        condition, values = "lane_ref = :lane", {":lane": lane.ref}
        bound: dict[str, Value | None] = {}
        if before_ms is not None:
            condition += " AND lane_at_ms < :before"
            bound = {":before": before_ms}
        found = self._client.query(
            TableName=self._table,
            IndexName="waiting",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item({**values, **bound}),
            Limit=limit,
        )
        return [rows.ids_of(from_item(item)) for item in found["Items"]]

    def take_out(self, event_id: str, endpoint_id: str, hinted_for_ms: int) -> Delivery | None:
        """Take a delivery out of its lane, for it gets a hint now; None when it does not wait any more."""
        update = ConditionalUpdate(
            {"due_at_ms": hinted_for_ms + HINTED_MS}, "attribute_exists(#lane_ref)", {}, ("lane_ref",)
        )
        item = update.apply(self._client, self._table, rows.delivery_key(event_id, endpoint_id))
        return rows.to_delivery(item) if item is not None else None

    def push_back(self, project_id: str, name: str, seen_due_at_ms: int, due_at_ms: int) -> Lane | None:
        """Move the due key of a lane; None for a stale entry."""
        update = ConditionalUpdate({"due_at_ms": due_at_ms}, "#due_at_ms = :seen", {"seen": seen_due_at_ms})
        item = update.apply(self._client, self._table, lane_key(project_id, name))
        return to_lane(item) if item is not None else None

    def clear(self, lane: Lane) -> None:
        """Remove the mark of a lane in which nothing waits, unless it may be newer than what the index shows."""
        if lane.waiting_ms is None or self._clock() - lane.waiting_ms < STALE_MS:
            return
        update = ConditionalUpdate({}, "#waiting_ms = :seen", {"seen": lane.waiting_ms}, ("waiting_ms", *_DUE))
        update.is_applied(self._client, self._table, lane_key(lane.project_id, lane.name))

    def clear_project(self, slots: Slots) -> None:
        """Remove the mark of a project of which no lane is marked."""
        update = ConditionalUpdate({}, "#waiting_ms = :seen", {"seen": slots.waiting_ms or 0}, ("waiting_ms",))
        update.is_applied(self._client, self._table, slots_key(slots.project_id))


def mark_lane(lane: Lane, now_ms: int) -> ConditionalUpdate:
    """Note that a delivery waits in a lane. The sweeper looks at it every minute while the mark is there."""
    return ConditionalUpdate(
        {
            "host": lane.host,
            "most": lane.most,
            "waiting_ms": now_ms,
            "due_shard": lane_shard(lane),
            "ttl": now_ms // MS_PER_SEC + LANE_TTL_SECS,
        },
        "",
        {"due": now_ms + STALE_MS},
        computed=("#due_at_ms = if_not_exists(#due_at_ms, :due)",),
    )


def lane_shard(lane: Lane) -> str:
    """One of the partitions of the due index."""
    return DUE_SHARDS[sum(lane.ref.encode()) % len(DUE_SHARDS)]
