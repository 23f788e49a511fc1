"""The check of an endpoint in a claim, which also counts the attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.webhooks.endpoints.rows import endpoint_key, failing_is
from functions.webhooks.endpoints.traffic_rows import count
from functions.webhooks.vocabulary.event_types import ALERT_EVENTS

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint


def count_attempt(table_name: str, seen: Endpoint, delivery: Delivery, now_ms: int) -> tuple[Any, Endpoint]:
    """Return the action that counts an attempt before its send, and the endpoint with the periods of its counters.

    It checks settings and health: the sender uses both, maybe from a cache. A check alone costs as many write units.
    An alert does not count.
    """
    values: dict[str, Value] = {"enabled": True, "seen_at": seen.updated_at}
    condition = f"#enabled = :enabled AND #updated_at = :seen_at AND {failing_is(seen, values)}"
    key = endpoint_key(seen.project_id, seen.endpoint_id)
    if delivery.event_type in ALERT_EVENTS:
        return check(table_name, key, condition, values), seen
    update = count(ConditionalUpdate({}, condition, values), seen.traffic, now_ms, "attempts")
    return update.action(table_name, key), replace(seen, traffic=seen.traffic.at(now_ms))
