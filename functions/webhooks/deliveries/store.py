"""Events and deliveries in one table. Every step is one conditional write or one transaction.

The rows decide, and queue messages are hints. A lease (`leases`) gives one sender the right to send. The sweeper finds
unfinished deliveries by their due key; a final state removes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, from_item, to_item
from functions.aws.dynamodb.table import Table, read_rows
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import TTL_MS, Event
from functions.event_log.rows import event_key, list_pk, to_entry, to_event
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import REPEATED_DELAY_MS, Hint
from functions.webhooks.deliveries.model import OPEN, Delivery, DeliveryState
from functions.webhooks.deliveries.rows import (
    DueDelivery,
    DueRow,
    delivery_key,
    endpoint_ref,
    ids_of,
    project_of,
    to_delivery,
    to_due,
)
from functions.webhooks.endpoints.store import deletion_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.webhooks.deliveries.publication import Publication


_RELEASED = (
    "due_shard",
    "due_at_ms",
    "lease_until_ms",
    "lease_owner",
    "lane_ref",
    "lane_at_ms",
    "secret_box",
)
_PROJECT = ("pk", "sk", "project_id", "endpoint_ref")
_MOST_DELETED = 25
_LIVE = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.RETRYING)


class DeliveryStore(Table):
    """Rows of the deliveries table. Methods that may lose a race return False or None; AWS errors propagate."""

    table_setting = "deliveries_table"

    def put_publication(self, plan: Publication) -> bool:
        """Write an event with its deliveries; False if it exists, or if its submission was deleted.

        Raises RowsContendedError.
        """
        return transact_or_raise(self._client, {"publication": plan.actions}) is None

    def deliveries_of(self, event_id: str) -> list[Delivery]:
        """Return the event's deliveries."""
        return [to_delivery(row) for row in self._list(f"EVENT#{event_id}", "DELIVERY#")]

    def pending_hints(self, event_id: str) -> list[Hint]:
        """Return hints of the event's deliveries that still wait for their first attempt; a sender reads them.

        They are delayed, because a sender may be sending by the first hint.
        """
        waiting = [
            row for row in self.deliveries_of(event_id) if row.state is DeliveryState.PENDING and row.lane_at_ms is None
        ]
        return [replace(Hint.of(row), delay_ms=REPEATED_DELAY_MS) for row in waiting if row.attempt == 0]

    def get_event(self, event_id: str) -> Event | None:
        """Read an event with its bytes; None if it is cancelled, expired or was never written."""
        row = self._get(event_key(event_id))
        if row is None or row["ttl"] * MS_PER_SEC <= self._clock():
            return None
        return to_event(event_id, row)

    def get_events(self, event_ids: Sequence[str]) -> dict[str, Event | None]:
        """Read distinct events with their bytes; None for one that is cancelled or expired. Others are missing."""
        found = read_rows(self._client, self.table_name, [event_key(event_id) for event_id in event_ids])
        now = self._clock()
        by_id = {ids_of(row)[0]: row for row in found}
        return {
            event_id: to_event(event_id, row) if row["ttl"] * MS_PER_SEC > now else None
            for event_id, row in by_id.items()
        }

    def get_delivery(self, event_id: str, endpoint_id: str) -> Delivery | None:
        """Read one delivery consistently."""
        row = self._get(delivery_key(event_id, endpoint_id))
        return to_delivery(row) if row is not None else None

    def push_back(self, due: DueDelivery, due_at_ms: int) -> Delivery | None:
        """Move the due key before a hint is sent, so that the next sweep begins with other rows; None if stale.

        This also takes the delivery out of its lane, because it will have a hint.
        """
        is_live, states = _state_in(_LIVE)
        update = ConditionalUpdate(
            {"due_at_ms": due_at_ms},
            f"#due_at_ms = :seen AND {is_live}",
            {"seen": due.due_at_ms} | states,
            ("lane_ref",),
        )
        row = self._update(update, delivery_key(due.event_id, due.endpoint_id))
        return to_delivery(row) if row is not None else None

    def due(self, shard: str, now_ms: int, limit: int) -> list[DueRow]:
        """Return up to `limit` due entries of one shard, oldest first."""
        return [to_due(row) for row in self._due(shard, now_ms, limit)]

    def projects_of(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Map event id and endpoint id to the project, for deliveries that still exist."""
        found = read_rows(self._client, self.table_name, [delivery_key(*key) for key in keys], _PROJECT)
        return {ids_of(row): project_of(row) for row in found}

    def cancel_event(self, event_id: str) -> None:
        """Remove the event's bytes and cancel its deliveries that are not final."""
        # First mark the event, even if its row does not exist yet. A concurrent completion then cannot write the bytes,
        # and nothing is sent without them.
        self._client.update_item(
            TableName=self.table_name,
            Key=event_key(event_id),
            UpdateExpression="SET cancelled = :true, #ttl = if_not_exists(#ttl, :ttl) REMOVE body_zlib",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=to_item({":true": True, ":ttl": (self._clock() + TTL_MS) // MS_PER_SEC}),
        )
        cancel = cancelling((*_LIVE, DeliveryState.PAUSED))
        for row in self._list(f"EVENT#{event_id}", "DELIVERY#"):
            self._update_unread(cancel, delivery_key(*ids_of(row)))

    def delete_others(self, project_id: str) -> int:
        """Cancel some events of a project without a submission, and take them off its list; return how many.

        0 if none is left.
        """
        found = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": list_pk(project_id)}),
            ConsistentRead=True,
            Limit=_MOST_DELETED,
        )["Items"]
        for item in found:
            entry = to_entry(item["sk"]["S"], from_item(item))
            self.cancel_event(entry.event_id)
            self._client.delete_item(TableName=self.table_name, Key={"pk": item["pk"], "sk": item["sk"]})
        return len(found)


def cancelling(states: tuple[DeliveryState, ...]) -> ConditionalUpdate:
    """Return the update that cancels a delivery in one of these states."""
    condition, values = _state_in(states)
    return ConditionalUpdate({"state": DeliveryState.CANCELLED.value}, condition, values, _RELEASED)


def _state_in(states: tuple[DeliveryState, ...]) -> tuple[str, dict[str, Value]]:
    """Return a condition and its values."""
    return f"#state IN ({', '.join(f':{state}' for state in states)})", {state.value: state.value for state in states}


# The transaction that deletes an endpoint writes a deletion row that is due at once. The request cancels some
# deliveries, and the sweeper does the rest. The sweeper checks again after GRACE_MS: a completion that read the
# endpoint before its deletion may have written another delivery. A delivery that is being sent ends by itself: it is
# delivered, or cancelled instead of retried.

TAKEN_MS = 30_000
GRACE_MS = 900_000
"""Longer than any completion takes and any index lags."""
_ITEMS_PER_QUERY = 100
_DUE = ("due_shard", "due_at_ms")
_CANCEL = cancelling(OPEN)


class Deletions(Table):
    """Cancels the open deliveries of deleted endpoints, a limited number at a time."""

    table_setting = "deliveries_table"

    def cancel_open(self, project_id: str, endpoint_id: str, seen_due_at_ms: int, work_ms: int) -> bool:
        """Cancel pages for about `work_ms`; False for a stale entry of the due index."""
        # Moving the due key takes the row: a second worker fails here, and after a crash the row is due again.
        key, now = deletion_key(project_id, endpoint_id), self._clock()
        taken_until_ms = now + TAKEN_MS
        row = self._take(key, seen_due_at_ms, taken_until_ms)
        if row is None:
            return False
        reach("deletion.after_take")
        read_to: str | None = row["read_to"]
        while read_to is not None and self._clock() < now + work_ms:
            read_to = self._cancel_page(project_id, endpoint_id, read_to)
            reach("deletion.after_page")
        second_check_ms = row["deleted_at_ms"] + GRACE_MS
        mine = {"mine": taken_until_ms}
        if read_to is not None:
            done = ConditionalUpdate({"read_to": read_to}, "#due_at_ms = :mine", mine)
        elif now < second_check_ms:
            again = to_rfc3339(row["deleted_at_ms"] - GRACE_MS)
            done = ConditionalUpdate({"read_to": again, "due_at_ms": second_check_ms}, "#due_at_ms = :mine", mine)
        else:
            done = ConditionalUpdate({}, "#due_at_ms = :mine", mine, _DUE)
        self._update_unread(done, key)
        return True

    def _cancel_page(self, project_id: str, endpoint_id: str, read_to: str) -> str | None:
        """Cancel one page of open deliveries, oldest first; return the new `read_to`, None at the end."""
        answer = self._client.query(
            TableName=self.table_name,
            IndexName="by_endpoint",
            KeyConditionExpression="endpoint_ref = :owner AND created_key > :after",
            ExpressionAttributeValues=to_item(
                {":owner": endpoint_ref(project_id, endpoint_id), ":after": read_to or "0"}
            ),
            Limit=_ITEMS_PER_QUERY,
        )
        for item in answer["Items"]:
            delivery = to_delivery(from_item(item))
            if delivery.state in OPEN:
                self._update_unread(_CANCEL, delivery_key(delivery.event_id, endpoint_id))
        last = answer.get("LastEvaluatedKey")
        return str(last["created_key"]["S"]) if last else None
