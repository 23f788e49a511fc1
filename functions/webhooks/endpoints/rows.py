"""Items of endpoints, in the deliveries table, because a claim checks delivery and endpoint in one transaction."""

from collections.abc import Mapping
from typing import Any, Final

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.row_codec import changes, read, write
from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.model import HIDDEN, Endpoint
from functions.webhooks.endpoints.traffic_rows import TRAFFIC, to_traffic, traffic_values

HEALTH_CHANGE: Final = ("untold_type", "untold_at", "untold_degraded_at")
"""The attributes of `Endpoint.unpublished_change`."""
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
    return {
        **write(endpoint),
        "header_names": tuple(endpoint.headers),
        **traffic_values(endpoint.traffic),
        "pk": endpoint_pk(endpoint.project_id),
        "sk": ENDPOINT_PREFIX + endpoint.endpoint_id,
    }


def changed_attributes(before: Endpoint, after: Endpoint) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the attributes to set, and the names of those to remove, for changed settings and secrets."""
    sets, removes = changes(before, after)
    if list(before.headers) != list(after.headers):
        sets["header_names"] = tuple(after.headers)
    return sets, removes


def failing_is(endpoint: Endpoint, values: dict[str, Value]) -> str:
    """Return a condition that the health of the row is as in `endpoint`, and add its values."""
    if endpoint.failing is None:
        return "attribute_not_exists(#failing_since_ms)"
    values |= {"seen_since": endpoint.failing.since_ms, "seen_spread": endpoint.failing.spread}
    return "#failing_since_ms = :seen_since AND #failing_spread = :seen_spread"


def to_endpoint(row: Mapping[str, Any]) -> Endpoint:
    """Convert an endpoint's row."""
    project_id, endpoint_id = ids_of_endpoint(row)
    in_other_attributes = {
        "project_id": project_id,
        "endpoint_id": endpoint_id,
        "headers": dict.fromkeys(row.get("header_names", ()), HIDDEN),
        "routing_key": HIDDEN if "routing_key_box" in row else "",
        "asymmetric": "public_key" in row,
        "traffic": to_traffic(row),
    }
    return read(Endpoint, {**row, **in_other_attributes})
