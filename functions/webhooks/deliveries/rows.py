"""Items of the deliveries table: keys, and conversion between rows and deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.row_codec import read, write
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import TTL_MS
from functions.webhooks.deliveries.exhausted_store import EXHAUSTED_PREFIX
from functions.webhooks.deliveries.model import FIRST_HINTED_MS, Delivery, DeliveryState, RecordedAttempt
from functions.webhooks.endpoints.store import DELETION_PREFIX, ENDPOINT_PREFIX, ids_of_endpoint
from functions.webhooks.vocabulary import Reply


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
    """Build the row of a new delivery. Unless paused, it becomes due if its hint is not received in time."""
    is_due = delivery.state is not DeliveryState.PAUSED
    return {
        **write(delivery),
        "pk": f"EVENT#{delivery.event_id}",
        "sk": f"DELIVERY#{delivery.endpoint_id}",
        "webhook_id": delivery.event_id,  # earlier builds of 0.1 need it after a rollback; it goes with 0.3
        "created_key": created_key(delivery),
        "endpoint_ref": endpoint_ref(delivery.project_id, delivery.endpoint_id),
        "list_shard": list_shard(delivery.project_id, crc32(created_key(delivery).encode()) % LIST_SHARDS),
        "due_shard": due_shard(delivery.event_id) if is_due else None,
        "due_at_ms": delivery.next_at_ms + FIRST_HINTED_MS if is_due else None,
        "ttl": ttl,
    }


def queue_row(delivery: Delivery, ttl: int) -> dict[str, Value | None]:
    """Build the row that gives a new delivery of an ordered endpoint its place, see `sending.lanes.ordered_queue`."""
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


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery whose next step is late."""

    event_id: str
    endpoint_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class DueEndpoint:
    """An endpoint whose health must be checked, or that owes an event."""

    project_id: str
    endpoint_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class DueExhausted:
    """Exhausted deliveries of one target without an event yet."""

    project_id: str
    endpoint_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class DueDeletion:
    """A deleted endpoint with paused deliveries that must be cancelled."""

    project_id: str
    endpoint_id: str
    due_at_ms: int


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
    if entry["sk"].startswith(EXHAUSTED_PREFIX):
        return DueExhausted(*ids_of_endpoint(entry), entry["due_at_ms"])
    return DueDelivery(*ids_of(entry), entry["due_at_ms"])


def ids_of_lane(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return project id and name from the key of a lane's row."""
    return str(row["pk"]).removeprefix("PROJECT#"), str(row["sk"]).removeprefix(LANE_PREFIX)
