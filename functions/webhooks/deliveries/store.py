"""Events and deliveries in one table: their rows, keys and steps. Each step is one conditional write or transaction.

The rows decide, and queue messages are hints. A lease (`sending.claim`) gives one sender the right to send. The sweeper
finds unfinished deliveries by their due key; a final state removes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate
from functions.aws.dynamodb.items import Value, from_item, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Table, due_shard, read_rows
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import TTL_MS, Event
from functions.event_log.rows import event_key, list_pk, to_entry, to_event
from functions.failpoint import reach
from functions.webhooks.deliveries.model import (
    FIRST_HINTED_MS,
    OPEN_STATES,
    PARKED_MS,
    Delivery,
    DeliveryState,
    RecordedAttempt,
)
from functions.webhooks.endpoints.store import DELETION_PREFIX, ENDPOINT_PREFIX, deletion_key, ids_of_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.webhooks.deliveries.publication import Publication
    from functions.webhooks.vocabulary import Reply

# Items of the deliveries table: keys, and conversion between rows and deliveries.


def delivery_key(event_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of a delivery row."""
    return key(f"EVENT#{event_id}", f"DELIVERY#{endpoint_id}")


def ids_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return event id and endpoint id from the key of a delivery row."""
    return str(row["pk"]).removeprefix("EVENT#"), str(row["sk"]).removeprefix("DELIVERY#")


LIST_SHARDS = 8
"""Partitions of a project in the index `by_project_shard`. A list reads all of them and merges."""


def list_shard(project_id: str, number: int) -> str:
    """Return one of the partitions of a project in the index `by_project_shard`."""
    return f"{project_id}#{number}"


def project_of(row: Mapping[str, Any]) -> str:
    """Return the project of a delivery's row. Rows of earlier builds name it, and so are in the index `by_project`."""
    return str(row.get("project_id") or row["endpoint_ref"].partition("#")[0])


def created_key(delivery: Delivery) -> str:
    """Sort key of the `by_project_shard` and `by_endpoint` indexes: newest is greatest."""
    return f"{delivery.created_at}#{delivery.event_id}.{delivery.endpoint_id}"


def endpoint_ref(project_id: str, endpoint_id: str) -> str:
    """Partition of the `by_endpoint` index."""
    return f"{project_id}#{endpoint_id}"


def delivery_row(delivery: Delivery, ttl: int) -> dict[str, Value | None]:
    """Build the row of a new delivery. Unless paused, it becomes due if its hint is not received in time.

    A parked one has no hint, and waits in the lane of its endpoint.
    """
    is_due, is_parked = delivery.state is not DeliveryState.PAUSED, delivery.lane_at_ms is not None
    return {
        **write(delivery),
        "pk": f"EVENT#{delivery.event_id}",
        "sk": f"DELIVERY#{delivery.endpoint_id}",
        "webhook_id": delivery.event_id,  # earlier builds of 0.1 need it after a rollback; it goes with 0.3
        "created_key": created_key(delivery),
        "endpoint_ref": endpoint_ref(delivery.project_id, delivery.endpoint_id),
        "list_shard": list_shard(delivery.project_id, crc32(created_key(delivery).encode()) % LIST_SHARDS),
        "due_shard": due_shard(delivery.event_id) if is_due else None,
        "due_at_ms": delivery.next_at_ms + (PARKED_MS if is_parked else FIRST_HINTED_MS) if is_due else None,
        "lane_ref": endpoint_ref(delivery.project_id, delivery.endpoint_id) if is_parked else None,
        "ttl": ttl,
    }


def queue_row(delivery: Delivery, ttl: int) -> dict[str, Value | None]:
    """Build the row that gives a new delivery of an ordered endpoint its place, see `sending.lanes`."""
    return {"pk": queue_pk(delivery.project_id, delivery.endpoint_id), "sk": queue_sk(delivery), "ttl": ttl}


def queue_pk(project_id: str, endpoint_id: str) -> str:
    """Return the partition of the queue of an ordered endpoint."""
    return f"ORDERED#{project_id}#{endpoint_id}"


def queue_sk(delivery: Delivery) -> str:
    """Return the place of a delivery in it: by time, then by id."""
    return f"{delivery.created_at}#{delivery.event_id}"


def new_attempt(delivery: Delivery, reply: Reply, at_ms: int) -> RecordedAttempt:
    """Return the attempt that follows the attempts counted in `delivery`."""
    return RecordedAttempt(
        n=delivery.attempt + 1,
        at=to_rfc3339(at_ms),
        latency_ms=reply.latency_ms,
        status_code=reply.status_code,
        error_code=reply.error_code,
        head=reply.head,
        address=reply.address,
    )


def attempt_key(delivery: Delivery, n: int) -> dict[str, Any]:
    """Return the key of the row of an attempt."""
    return key(f"EVENT#{delivery.event_id}", _attempt_sk(delivery, n))


def ids_of_attempt(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return event id and endpoint id from the key of the row of an attempt or a delivery."""
    return str(row["pk"]).removeprefix("EVENT#"), str(row["sk"]).split("#")[1]


def attempt_row(delivery: Delivery, attempt: RecordedAttempt, now_ms: int) -> dict[str, Value | None]:
    """Build the row of an attempt."""
    return {
        **write(attempt),
        "pk": f"EVENT#{delivery.event_id}",
        "sk": _attempt_sk(delivery, attempt.n),
        "ttl": (now_ms + TTL_MS) // MS_PER_SEC,
    }


def _attempt_sk(delivery: Delivery, n: int) -> str:
    return f"ATTEMPT#{delivery.endpoint_id}#{n:04d}"


def to_attempt(row: Mapping[str, Any]) -> RecordedAttempt:
    """Convert the row of an attempt."""
    return read(RecordedAttempt, row)


def to_delivery(row: Mapping[str, Any]) -> Delivery:
    """Convert a row of the table, or of an index, which has no URL and no secret."""
    event_id, endpoint_id = ids_of(row)
    return read(Delivery, {**row, "event_id": event_id, "endpoint_id": endpoint_id, "project_id": project_of(row)})


# Entries of the deliveries table's due index. An entry may be stale, so readers check the row itself.

LANE_PREFIX = "LANE#"
EXHAUSTED_PREFIX = "EXHAUSTED#"
BLOCKED_PREFIX = "BLOCKED#"


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery whose next step is late."""

    event_id: str
    endpoint_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class _DueTarget:
    project_id: str
    endpoint_id: str
    due_at_ms: int


class DueEndpoint(_DueTarget):
    """An endpoint whose health must be checked, or that owes an event."""


@dataclass(frozen=True, slots=True)
class DueExhausted(_DueTarget):
    """Exhausted or blocked deliveries of one target without an event yet. `prefix`: of its row."""

    prefix: str = EXHAUSTED_PREFIX


class DueDeletion(_DueTarget):
    """A deleted endpoint with paused deliveries that must be cancelled."""


@dataclass(frozen=True, slots=True)
class DueLane:
    """A lane whose parked deliveries may be waiting although a send slot is free."""

    project_id: str
    name: str
    due_at_ms: int


type DueRow = DueDelivery | DueEndpoint | DueExhausted | DueDeletion | DueLane


def to_due(entry: Mapping[str, Any]) -> DueRow:
    """Convert an index entry, by the prefix of its sort key."""
    if entry["sk"].startswith(LANE_PREFIX):
        return DueLane(*ids_of_lane(entry), entry["due_at_ms"])
    if entry["sk"].startswith(DELETION_PREFIX):
        return DueDeletion(*ids_of_endpoint(entry), entry["due_at_ms"])
    if entry["sk"].startswith(ENDPOINT_PREFIX):
        return DueEndpoint(*ids_of_endpoint(entry), entry["due_at_ms"])
    for prefix in (EXHAUSTED_PREFIX, BLOCKED_PREFIX):
        if entry["sk"].startswith(prefix):
            return DueExhausted(*ids_of_endpoint(entry), entry["due_at_ms"], prefix)
    return DueDelivery(*ids_of(entry), entry["due_at_ms"])


def ids_of_lane(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return project id and name from the key of a lane's row."""
    return str(row["pk"]).removeprefix("PROJECT#"), str(row["sk"]).removeprefix(LANE_PREFIX)


DUE = ("due_shard", "due_at_ms")
LEASE = ("lease_until_ms", "lease_owner")
WAITING = ("lane_ref", "lane_at_ms")
_RELEASED = (*DUE, *LEASE, *WAITING, "secret_box")
_PROJECT = ("pk", "sk", "project_id", "endpoint_ref")
_MOST_DELETED = 25
LIVE = (DeliveryState.TRANSFORMING, DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.RETRYING)


def cancelling(states: tuple[DeliveryState, ...]) -> ConditionalUpdate:
    """Return the update that cancels a delivery in one of these states."""
    condition, values = state_in(states)
    return ConditionalUpdate({"state": DeliveryState.CANCELLED.value}, condition, values, _RELEASED)


def state_in(states: tuple[DeliveryState, ...]) -> tuple[str, dict[str, Value]]:
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
_CANCEL = cancelling(OPEN_STATES)


class DeliveryStore(Table):
    """Rows of the deliveries table. Methods that may lose a race return False or None; AWS errors propagate."""

    table_setting = "deliveries_table"

    def put_publication(self, plan: Publication) -> bool:
        """Write an event with its deliveries; False if it exists, or if its submission was deleted.

        Raises RowsContendedError.
        """
        return transact_or_raise(self._client, {"publication": plan.actions}) is None

    def deliveries_of(self, event_id: str) -> list[Delivery]:
        return [to_delivery(row) for row in self._list(f"EVENT#{event_id}", "DELIVERY#")]

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
        row = self._get(delivery_key(event_id, endpoint_id))
        return to_delivery(row) if row is not None else None

    def push_back(self, due: DueDelivery, due_at_ms: int) -> Delivery | None:
        """Move the due key before a hint is sent, so that the next sweep begins with other rows; None if stale.

        This also takes the delivery out of its lane, because it will have a hint.
        """
        is_live, states = state_in(LIVE)
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
        cancel = cancelling((*LIVE, DeliveryState.PAUSED))
        pk = f"EVENT#{event_id}"
        if not (deliveries := self._list(pk, "DELIVERY#")):
            return
        for row in deliveries:
            reach("cancel.before_delivery")
            self._update_unread(cancel, delivery_key(*ids_of(row)))
        # Read again: until its delivery is cancelled, a transform may end, and what it wrote may be of the event.
        for row in (*self._list(pk, "DELIVERY#"), *self._list(pk, "BODY#")):
            if removes := tuple({"transform_failure", "body_zlib"} & row.keys()):
                self._update_unread(ConditionalUpdate({}, EXISTS, {}, removes), key(pk, row["sk"]))

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

    def cancel_open(self, project_id: str, endpoint_id: str, seen_due_at_ms: int, work_ms: int) -> bool:
        """Cancel deliveries of a deleted endpoint for about `work_ms`; False for a stale entry of the due index."""
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
            done = ConditionalUpdate({}, "#due_at_ms = :mine", mine, DUE)
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
            if delivery.state in OPEN_STATES:
                self._update_unread(_CANCEL, delivery_key(delivery.event_id, endpoint_id))
        last = answer.get("LastEvaluatedKey")
        return str(last["created_key"]["S"]) if last else None
