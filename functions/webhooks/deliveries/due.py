"""Entries of the deliveries table's due index. An entry may be stale, so readers check the row itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.webhooks.deliveries.exhausted_store import EXHAUSTED_PREFIX
from functions.webhooks.deliveries.rows import ids_of
from functions.webhooks.endpoints.store import DELETION_PREFIX, ENDPOINT_PREFIX, ids_of_endpoint

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
