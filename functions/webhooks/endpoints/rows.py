"""Items of endpoints, in the deliveries table, because a claim checks delivery and endpoint in one transaction."""

from collections.abc import Mapping
from typing import Any, Final

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Value, key
from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.filters import ALL_RUNS, RunFilters
from functions.webhooks.endpoints.model import (
    BodyFormat,
    DisabledReason,
    Endpoint,
    FailureStreak,
    HealthChange,
    Payload,
)
from functions.webhooks.endpoints.traffic_rows import TRAFFIC, to_traffic, traffic_values

HEALTH_CHANGE: Final = ("untold_type", "untold_at", "untold_degraded_at")
"""A change of the health that is not published yet, in the order of `HealthChange`."""
HEALTH: Final = (
    *("disabled_reason", "disabled_at", "failing_since_ms", "failing_counted_ms", "failing_spread"),
    *("degraded_at", *HEALTH_CHANGE, *TRAFFIC),
)
"""Attributes that an endpoint loses when its project enables it."""
ENDPOINT_PREFIX = "ENDPOINT#"
SUBSCRIBERS_PREFIX = "ENDPOINT"
"""Of the endpoints, and of the row with their number, which also says how long the project keeps an event log."""
DELETION_PREFIX = "DELETED#"
_DELETION_KEPT_MS = 24 * 86_400_000


CHANGEABLE: Final = (
    *("url", "events", "description", "header_names", "enabled"),
    *("max_concurrency", "max_per_second", "format", "filters"),
)
"""Attributes that a client can change."""
_PLAIN: Final = (
    *("url", "description", "headers_box", "secret_box", "previous_secret_box", "previous_until_ms", "public_key"),
    *("enabled", "disabled_at", "degraded_at", "created_at", "updated_at"),
    *("max_concurrency", "max_per_second", "api_version", "ordered"),
)
"""Fields of an endpoint that are attributes of its row."""


def endpoint_pk(project_id: str) -> str:
    """Return the partition key of all endpoints of a project."""
    return f"PROJECT#{project_id}"


def endpoint_key(project_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of an endpoint row."""
    return key(endpoint_pk(project_id), ENDPOINT_PREFIX + endpoint_id)


def deletion_key(project_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of the deletion row of an endpoint."""
    return key(endpoint_pk(project_id), DELETION_PREFIX + endpoint_id)


def deletion_row(project_id: str, endpoint_id: str, now_ms: int) -> dict[str, Value | None]:
    """Build the row of a deletion, due now: `deliveries.deletions` cancels the open deliveries of the endpoint."""
    return {
        "pk": endpoint_pk(project_id),
        "sk": DELETION_PREFIX + endpoint_id,
        "deleted_at_ms": now_ms,
        "read_to": "",
        "due_shard": due_shard(endpoint_id),
        "due_at_ms": now_ms,
        "ttl": (now_ms + _DELETION_KEPT_MS) // MS_PER_SEC,
    }


def ids_of_endpoint(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return project id and endpoint id from the key of an endpoint's row, whatever its prefix."""
    return str(row["pk"]).removeprefix("PROJECT#"), str(row["sk"]).partition("#")[2]


def endpoint_row(endpoint: Endpoint) -> dict[str, Value | None]:
    """Build the row of a new endpoint."""
    failing = endpoint.failing
    return {name: getattr(endpoint, name) for name in _PLAIN} | {
        "pk": endpoint_pk(endpoint.project_id),
        "sk": ENDPOINT_PREFIX + endpoint.endpoint_id,
        "events": endpoint.events,
        "header_names": endpoint.header_names,
        "disabled_reason": endpoint.disabled_reason.value if endpoint.disabled_reason else None,
        "failing_since_ms": failing.since_ms if failing else None,
        "failing_counted_ms": failing.counted_ms if failing else None,
        "failing_spread": failing.spread if failing else None,
        "format": endpoint.format.value,
        "filters": endpoint.filters.values() if endpoint.filters != ALL_RUNS else None,
        "payload": endpoint.payload.value if endpoint.payload is not Payload.FULL else None,
        "ordered": endpoint.ordered or None,
        **traffic_values(endpoint.traffic),
    }


def failing_is(seen: Endpoint, values: dict[str, Value]) -> str:
    """Return a condition that the health of the row is as in `seen`, and add its values."""
    if seen.failing is None:
        return "attribute_not_exists(#failing_since_ms)"
    values |= {"seen_since": seen.failing.since_ms, "seen_spread": seen.failing.spread}
    return "#failing_since_ms = :seen_since AND #failing_spread = :seen_spread"


def to_endpoint(row: Mapping[str, Any]) -> Endpoint:
    """Convert an endpoint's row."""
    project_id, endpoint_id = ids_of_endpoint(row)
    reason = row.get("disabled_reason")
    failing = None
    if "failing_since_ms" in row:
        failing = FailureStreak(row["failing_since_ms"], row["failing_counted_ms"], row["failing_spread"])
    return Endpoint(
        **{name: row[name] for name in _PLAIN if name in row},
        endpoint_id=endpoint_id,
        project_id=project_id,
        events=tuple(row["events"]),
        header_names=tuple(row["header_names"]),
        disabled_reason=DisabledReason(reason) if reason else None,
        failing=failing,
        format=BodyFormat(row["format"]),
        filters=RunFilters.of(row.get("filters", {})),
        payload=Payload(row.get("payload", Payload.FULL)),
        traffic=to_traffic(row),
        unpublished_change=HealthChange(*(row[name] for name in HEALTH_CHANGE)) if "untold_type" in row else None,
    )
