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
_IS_UNCHANGED = "#attempt = :read_attempt AND #next_at_ms = :read_next_at_ms"
_STATES: dict[str, Value] = {
    state.value: state.value for state in (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.SENDING)
}


def change_claimable(
    delivery: Delivery, now_ms: int, sets: Mapping[str, Value], removes: tuple[str, ...]
) -> ConditionalUpdate:
    """Build the update of a claimable row that has had no attempt and no replay since it was read."""
    read = {"read_attempt": delivery.attempt, "read_next_at_ms": delivery.next_at_ms}
    values = {**_STATES, "now": now_ms, "soon": now_ms + SKEW_MS, **read}
    return ConditionalUpdate(sets, f"{_IS_CLAIMABLE} AND {_IS_UNCHANGED}", values, removes)
