"""Parts of the writes to the checks table that its stores share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import Value, to_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Key
    from functions.checks.model import Check

ABSENT = "attribute_not_exists(pk)"


def put(table_name: str, item: Any, condition: str = "", values: Mapping[str, Value] | None = None) -> Any:
    """Return the action of a transaction that writes an item."""
    action: dict[str, Any] = {"TableName": table_name, "Item": item}
    if condition:
        action["ConditionExpression"] = condition
    if values:
        action["ExpressionAttributeValues"] = to_item(values)
    return {"Put": action}


def delete(table_name: str, row_key: Key, condition: str = "") -> Any:
    """Return the action of a transaction that deletes an item."""
    action: dict[str, Any] = {"TableName": table_name, "Key": row_key}
    if condition:
        action["ConditionExpression"] = condition
    return {"Delete": action}


def slot_is_seen(seen: Check) -> str:
    """Return the condition that the check still has the next slot that was read."""
    return "attribute_not_exists(#next_slot_ms)" if seen.next_slot_ms is None else "#next_slot_ms = :seen_slot"


def seen_slot(seen: Check) -> dict[str, Value]:
    """Return the values of that condition."""
    return {} if seen.next_slot_ms is None else {"seen_slot": seen.next_slot_ms}
