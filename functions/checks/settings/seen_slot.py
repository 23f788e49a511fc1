"""The condition on the next slot of a check, which its stores share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.checks.settings.model import Check


def slot_is_seen(seen: Check) -> str:
    """Return the condition that the check still has the next slot that was read."""
    return "attribute_not_exists(#next_slot_ms)" if seen.next_slot_ms is None else "#next_slot_ms = :seen_slot"


def seen_slot(seen: Check) -> dict[str, Value]:
    """Return the values of that condition."""
    return {} if seen.next_slot_ms is None else {"seen_slot": seen.next_slot_ms}
