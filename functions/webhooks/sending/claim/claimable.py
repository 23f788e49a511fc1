"""Conditional updates of a delivery's row that may be claimed now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.webhooks.deliveries.model import SKEW_MS, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Value
    from functions.webhooks.deliveries.model import Delivery

DUE = ("due_shard", "due_at_ms")
LEASE = ("lease_until_ms", "lease_owner")
WAITING = ("lane_ref", "lane_at_ms")
_IS_CLAIMABLE = (  # as Delivery.is_claimable
    "((#state = :pending AND #next_at_ms <= :soon) OR (#state = :retrying AND #next_at_ms <= :now)"
    " OR (#state = :sending AND #lease_until_ms <= :now))"
)
_STATES: dict[str, Value] = {
    state.value: state.value for state in (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.SENDING)
}


def change_claimable(
    delivery: Delivery, now_ms: int, sets: Mapping[str, Value], removes: tuple[str, ...]
) -> ConditionalUpdate:
    """Build the update of a claimable row that has had no attempt since it was read."""
    values = {**_STATES, "now": now_ms, "soon": now_ms + SKEW_MS, "seen_attempt": delivery.attempt}
    return ConditionalUpdate(sets, f"{_IS_CLAIMABLE} AND #attempt = :seen_attempt", values, removes)


def only_if_same(update: ConditionalUpdate, delivery: Delivery) -> ConditionalUpdate:
    """Check that the row has all that a sender uses of `delivery`, which may come from a hint."""
    condition = "#next_at_ms = :same_next_at_ms"
    values: dict[str, Value] = {
        "same_next_at_ms": delivery.next_at_ms,
        "same_attempts_before": delivery.attempts_before,
    }
    if delivery.attempts_before:
        condition += " AND #attempts_before = :same_attempts_before"
    else:
        condition += " AND (attribute_not_exists(#attempts_before) OR #attempts_before = :same_attempts_before)"
    for name in ("project_id", "url", "secret_box", "body_digest"):
        value = getattr(delivery, name)
        if value:
            condition += f" AND #{name} = :same_{name}"
            values[f"same_{name}"] = value
        else:  # rows have no empty values
            condition += f" AND attribute_not_exists(#{name})"
    return update.only_if(condition, values)
