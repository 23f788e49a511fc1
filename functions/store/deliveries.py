"""Events, deliveries and attempts in one table, where every step is a single conditional write.

The rows are the queue: a lease decides who sends, and a due key brings back whatever was left behind. Items and
conditions are those of the webhook specification, section 2; a final state removes the due key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.clock import MS_PER_SEC, Clock, now_ms
from functions.core.delivery import LEASE_MS, Delivery, Event, Reply, Transition
from functions.core.submission import due_shard
from functions.store import delivery_rows as rows
from functions.store.items import Value, cancellation_codes, from_item, is_condition_failure, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TTL_MS = 24 * 86_400 * MS_PER_SEC
"""Replay window (14 days) plus the longest retry horizon: nine delays, each stretched to 24 h by Retry-After."""
MAX_CONFLICTS = 4

_CONDITION_FAILED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"
_RELEASE = "REMOVE due_shard, due_at_ms, lease_until_ms, lease_owner"


@dataclass(frozen=True, slots=True)
class Due:
    """One entry of the due index: a hint that a row may want attention, never the truth about it."""

    event_id: str
    endpoint_id: str
    due_at_ms: int

    @property
    def row_id(self) -> str:
        """Name of the row in logs."""
        return f"{self.event_id}#{self.endpoint_id}"


class DeliveryStore:
    """The deliveries table. Methods that may lose a race return False or None; AWS errors propagate."""

    def __init__(self, table_name: str, client: "DynamoDBClient", clock: Clock = now_ms) -> None:
        self._table = table_name
        self._client = client
        self._clock = clock

    def put_event(self, event: Event) -> bool:
        """Write the event once; False when it is there already, or a deletion has left its mark."""
        return self._put_once(rows.event_row(event, self._ttl()))

    def get_event(self, event_id: str) -> Event | None:
        """Read the event with its bytes; None when it is cancelled, expired or was never written."""
        key = rows.event_key(event_id)
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        row = from_item(found.get("Item") or {})
        if "body" not in row or row["ttl"] * MS_PER_SEC <= self._clock():
            return None
        return rows.to_event(event_id, row)

    def put_delivery(self, delivery: Delivery) -> bool:
        """Write a new delivery, due at its next_at_ms; False when it is there already."""
        return self._put_once(rows.delivery_row(delivery, self._ttl()))

    def get_delivery(self, event_id: str, endpoint_id: str) -> Delivery | None:
        """Read one delivery consistently."""
        key = rows.delivery_key(event_id, endpoint_id)
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return rows.to_delivery(found["Item"]) if "Item" in found else None

    def claim(self, event_id: str, endpoint_id: str, owner: str) -> Delivery | None:
        """Take the lease for 60 s; None when it is not due, leased by another, final or gone."""
        now = self._clock()
        return self._update(
            rows.delivery_key(event_id, endpoint_id),
            "SET #state = :sending, lease_until_ms = :until, lease_owner = :me, due_shard = :shard, due_at_ms = :until",
            "#state = :pending OR (#state = :retrying AND next_at_ms <= :now)"
            " OR (#state = :sending AND lease_until_ms <= :now)",
            {
                ":pending": "pending",
                ":retrying": "retrying",
                ":sending": "sending",
                ":now": now,
                ":until": now + LEASE_MS,
                ":me": owner,
                ":shard": due_shard(event_id),
            },
        )

    def record_attempt(self, delivery: Delivery, reply: Reply, transition: Transition) -> bool:
        """Write the attempt row and the new state in one transaction; False when the lease is no longer ours.

        `delivery` is what `claim` returned. A conflict with a concurrent write of the row is tried again.
        """
        sets = "#state = :state, attempt = :n"
        removes = "lease_until_ms, lease_owner"
        values: dict[str, Value | None] = {
            ":state": transition.state.value,
            ":n": delivery.attempt + 1,
            ":me": delivery.lease_owner,
            ":sending": "sending",
        }
        if transition.next_at_ms is None:
            removes += ", due_shard, due_at_ms"
        else:
            sets += ", next_at_ms = :next, due_at_ms = :next"
            values[":next"] = transition.next_at_ms
        attempt = rows.attempt_row(delivery, reply, self._clock(), self._ttl())
        put = {"TableName": self._table, "Item": to_item(attempt)}
        update = {
            "TableName": self._table,
            "Key": rows.delivery_key(delivery.event_id, delivery.endpoint_id),
            "UpdateExpression": f"SET {sets} REMOVE {removes}",
            "ConditionExpression": "#state = :sending AND lease_owner = :me",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": to_item(values),
        }
        return self._transact([{"Put": put}, {"Update": update}])

    def drop(self, delivery: Delivery) -> bool:
        """Cancel a delivery that we hold because its event is gone; False when the lease is no longer ours."""
        dropped = self._update(
            rows.delivery_key(delivery.event_id, delivery.endpoint_id),
            f"SET #state = :cancelled {_RELEASE}, secret",
            "#state = :sending AND lease_owner = :me",
            {":cancelled": "cancelled", ":sending": "sending", ":me": delivery.lease_owner},
        )
        return dropped is not None

    def push_back(self, due: Due, due_at_ms: int) -> Delivery | None:
        """Move the due key of a row that is about to be hinted, so that others get a turn; None for a stale entry."""
        return self._update(
            rows.delivery_key(due.event_id, due.endpoint_id),
            "SET due_at_ms = :later",
            "due_at_ms = :seen AND #state IN (:pending, :sending, :retrying)",
            {
                ":later": due_at_ms,
                ":seen": due.due_at_ms,
                ":pending": "pending",
                ":sending": "sending",
                ":retrying": "retrying",
            },
        )

    def due(self, shard: str, now_ms: int, limit: int) -> list[Due]:
        """Read up to `limit` entries of one shard that are due, oldest first."""
        found = self._client.query(
            TableName=self._table,
            IndexName="due",
            KeyConditionExpression="due_shard = :shard AND due_at_ms <= :now",
            ExpressionAttributeValues=to_item({":shard": shard, ":now": now_ms}),
            Limit=limit,
        )
        entries = [from_item(item) for item in found["Items"]]
        return [Due(*rows.ids_of(entry), entry["due_at_ms"]) for entry in entries]

    def cancel_event(self, event_id: str) -> None:
        """Remove the event's bytes and cancel every delivery of it that is not final.

        The mark comes first, also where no event row is yet: it keeps a fan-out that runs at this moment from
        writing the bytes, and without them nothing is sent.
        """
        self._client.update_item(
            TableName=self._table,
            Key=rows.event_key(event_id),
            UpdateExpression="SET cancelled = :true, #ttl = if_not_exists(#ttl, :ttl) REMOVE body",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=to_item({":true": True, ":ttl": self._ttl()}),
        )
        for row in self._read(event_id, "DELIVERY#"):
            self._update(
                rows.delivery_key(*rows.ids_of(row)),
                f"SET #state = :cancelled {_RELEASE}, secret",
                "#state IN (:pending, :sending, :retrying, :paused)",
                {
                    ":cancelled": "cancelled",
                    ":pending": "pending",
                    ":sending": "sending",
                    ":retrying": "retrying",
                    ":paused": "paused",
                },
            )

    def list_attempts(self, event_id: str, endpoint_id: str) -> list[Mapping[str, Any]]:
        """Read the attempts in order: n, at, latency_ms, head, and status_code, error_code, address as they apply."""
        return self._read(event_id, f"ATTEMPT#{endpoint_id}#")

    def _put_once(self, row: Mapping[str, Value | None]) -> bool:
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(row),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True

    def _update(
        self, key: dict[str, Any], change: str, condition: str, values: Mapping[str, Value | None]
    ) -> Delivery | None:
        try:
            updated = self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=change,
                ConditionExpression=f"attribute_exists(pk) AND ({condition})",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_item(values),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if is_condition_failure(error):
                return None
            raise
        return rows.to_delivery(updated["Attributes"])

    def _transact(self, items: list[Any]) -> bool:
        for left in reversed(range(MAX_CONFLICTS)):
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                reasons = cancellation_codes(error)
                if _CONDITION_FAILED in reasons:
                    return False
                if _CONFLICT not in reasons or not left:
                    raise
            else:
                return True
        return False

    def _read(self, event_id: str, sk_prefix: str) -> list[Mapping[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": f"EVENT#{event_id}", ":prefix": sk_prefix}),
            ConsistentRead=True,
        )
        return [from_item(item) for page in pages for item in page["Items"]]

    def _ttl(self) -> int:
        return (self._clock() + TTL_MS) // MS_PER_SEC
