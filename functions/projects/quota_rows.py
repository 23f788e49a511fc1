"""Items of the quotas table, one for each project and profile.

minute_number, minute_count     the minute that was counted last, and its submissions
day_number, day_count           the same of a day
in_flight                       set of `InFlight.text`; absent when empty, as DynamoDB has no empty set
in_flight_keys                  the keys of those: one Idempotency-Key takes once, however often it is seen
"""

from collections.abc import Mapping
from typing import Any

from functions.aws.dynamodb.items import from_item, key
from functions.projects.in_flight import InFlight, read_entry
from functions.projects.quota import DAY_MS, MINUTE_MS, Usage, Window

type Item = Mapping[str, Any]

NUMBERS = ("minute_number", "day_number")
COUNTS = ("minute_count", "day_count")


def quota_key(project_id: str, profile: str) -> dict[str, Any]:
    """Name the item of one project and profile."""
    return key(f"PROJECT#{project_id}", f"QUOTA#{profile}")


def numbers_of(usage: Usage) -> dict[str, int]:
    """Which windows are counted."""
    return {"minute_number": usage.minute.number, "day_number": usage.day.number}


def counts_of(usage: Usage) -> dict[str, int]:
    """What was counted in them."""
    return {"minute_count": usage.minute.count, "day_count": usage.day.count}


def to_usage(item: Item) -> Usage:
    """Read an item as DynamoDB returns it; an empty one is of a project that has used nothing."""
    if not item:
        return Usage()
    values = from_item(item)
    return Usage(
        Window(MINUTE_MS, values["minute_number"], values["minute_count"]),
        Window(DAY_MS, values["day_number"], values["day_count"]),
        len(values.get("in_flight", ())),
    )


def to_entries(item: Item) -> tuple[InFlight, ...]:
    """Return what holds a place, oldest first."""
    texts = item.get("in_flight", {}).get("SS", ())
    return tuple(sorted((read_entry(text) for text in texts), key=lambda entry: entry.since_ms))
