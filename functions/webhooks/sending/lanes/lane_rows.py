"""Items of lanes, in the deliveries table: one row per lane."""

from collections.abc import Mapping
from typing import Any

from functions.aws.dynamodb.items import key
from functions.webhooks.deliveries.due import LANE_PREFIX, ids_of_lane
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY
from functions.webhooks.endpoints.rows import endpoint_pk
from functions.webhooks.sending.lanes.lane import Lane

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
