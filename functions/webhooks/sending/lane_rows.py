"""Items of the deliveries table for send slots and lanes: one slots row per project, one row per lane."""

from collections.abc import Mapping
from typing import Any

from functions.aws.dynamodb.items import Value, from_item, key
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY
from functions.webhooks.endpoints.rows import endpoint_pk
from functions.webhooks.sending.lane import Lane
from functions.webhooks.sending.slots import Slot, Slots

LANE_PREFIX = "LANE#"
LANE_TTL_SECS = 86_400
_SLOT_PREFIX = "slot_"


def slots_key(project_id: str) -> dict[str, Any]:
    """Return the key of a project's slots row."""
    return key(endpoint_pk(project_id), "SLOTS")


def lane_key(project_id: str, name: str) -> dict[str, Any]:
    """Return the key of a lane's row. The row exists while deliveries wait or sends fail, and a day longer."""
    return key(endpoint_pk(project_id), LANE_PREFIX + name)


def slot_name(number: int) -> str:
    """Return the attribute of one slot; numbers start at 0. A free slot has no attribute."""
    return f"{_SLOT_PREFIX}{number}"


def slot_value(slot: Slot) -> Mapping[str, Value]:
    """Build the value of one slot."""
    return {"until": slot.until_ms, "lane": slot.lane, "host": slot.host, "resting": slot.is_resting}


def to_slots(project_id: str, item: Mapping[str, Any]) -> Slots:
    """Convert a slots item; {} if there is none."""
    row = from_item(item)
    taken = {
        int(name.removeprefix(_SLOT_PREFIX)): Slot(slot["until"], slot["lane"], slot["host"], slot["resting"])
        for name, slot in row.items()
        if name.startswith(_SLOT_PREFIX)
    }
    return Slots(project_id, row.get("version", 0), row.get("waiting_ms"), taken)


def to_lane(item: Mapping[str, Any]) -> Lane:
    """Convert a lane item."""
    row = from_item(item)
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
    )


def ids_of_lane(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return project id and name from the key of a lane's row."""
    return str(row["pk"]).removeprefix("PROJECT#"), str(row["sk"]).removeprefix(LANE_PREFIX)
