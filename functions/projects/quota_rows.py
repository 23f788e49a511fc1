"""Items of the quotas table, one for each project and profile, or one for each shard of a large quota.

minute_number, minute_count     the latest counted minute and its submissions
day_number, day_count           the latest counted day and its submissions
in_flight                       set of `InFlight.text`; absent when empty, as DynamoDB has no empty set
in_flight_keys                  set of their keys: an Idempotency-Key is charged once at a time
endpoints_version               see endpoints_version.py; never in a shard; an item may have nothing else
"""

from typing import Any

from functions.aws.dynamodb.items import Item, from_item, key
from functions.projects.in_flight import InFlight, read_entry
from functions.projects.quota import DAY_MS, MINUTE_MS, Usage, Window

NUMBERS = ("minute_number", "day_number")
COUNTS = ("minute_count", "day_count")
KEPT_SECS = 3 * 86_400
"""An item expires this long after its last charge."""


def quota_key(project_id: str, profile: str, shard: str | None = None) -> dict[str, Any]:
    """Return the primary key of a project's quota item, or of a shard of it, in a partition of its own."""
    return key(f"PROJECT#{project_id}" + (f"#{shard}" if shard else ""), f"QUOTA#{profile}")


def numbers_of(usage: Usage) -> dict[str, int]:
    """Return the window numbers of a usage."""
    return {"minute_number": usage.minute.number, "day_number": usage.day.number}


def counts_of(usage: Usage) -> dict[str, int]:
    """Return the counts of a usage."""
    return {"minute_count": usage.minute.count, "day_count": usage.day.count}


def to_usage(item: Item) -> Usage:
    """Decode an item; an item without counts means no usage."""
    if not has_counts(item):
        return Usage()
    values = from_item(item)
    return Usage(
        Window(MINUTE_MS, values["minute_number"], values["minute_count"]),
        Window(DAY_MS, values["day_number"], values["day_count"]),
        len(values.get("in_flight", ())),
    )


def has_counts(item: Item) -> bool:
    """Whether a run was ever charged to this item."""
    return "minute_number" in item


def endpoints_version_of(item: Item) -> str | None:
    """Return the version of the project's endpoints; None if it was never written."""
    version: str | None = item.get("endpoints_version", {}).get("S")
    return version


def to_entries(item: Item) -> tuple[InFlight, ...]:
    """Return the runs in flight, oldest first."""
    texts = item.get("in_flight", {}).get("SS", ())
    return tuple(sorted((read_entry(text) for text in texts), key=lambda entry: entry.since_ms))
