"""The changes of an attempt to the row of its endpoint: counters, failures, and whether it is enabled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.aws.dynamodb.due_index import due_shard
from functions.webhooks.endpoints.health_store import due_for_health
from functions.webhooks.endpoints.rows import endpoint_key, failing_is
from functions.webhooks.endpoints.traffic_rows import count
from functions.webhooks.sending.lanes.lane import is_unanswered
from functions.webhooks.vocabulary.event_types import ALERT_EVENTS

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.vocabulary.reply import Reply

_FAILING = ("failing_since_ms", "failing_counted_ms", "failing_spread")


def endpoint_actions(
    table_name: str, before: Endpoint | None, after: Endpoint | None, delivery: Delivery, reply: Reply, now_ms: int
) -> list[Any]:
    """Write the changed health and count a failed attempt, on condition that the row still matches `before`.

    A counted failure makes the row due, so that the sweeper looks at the endpoint's health. A send without a response
    checks the row also if nothing changes, because the circuit breaker counts it (`attempt_store`). A failure of an
    alert does not count: it must raise no alert. `SuccessCounts` counts successes.
    """
    if before is None or after is None:
        return []
    is_counted = before.enabled and not reply.is_success and delivery.event_type not in ALERT_EVENTS
    key = endpoint_key(before.project_id, before.endpoint_id)
    values: dict[str, Value] = {"was_enabled": before.enabled}
    condition = f"#enabled = :was_enabled AND {failing_is(before, values)}"
    if after == before and not is_counted:
        return [check(table_name, key, condition, values)] if is_unanswered(reply) else []
    sets, removes = _failing(after)
    update = ConditionalUpdate(sets, condition, values, removes)
    if not after.enabled:
        update = replace(update, sets={**sets, **_disabling(after, now_ms)})
    if is_counted:
        update = count(update, before.traffic, now_ms, {"attempts": 1, "failures": 1})
        update = due_for_health(update, after.endpoint_id, now_ms) if after.enabled else update
    return [update.action(table_name, key)]


def _failing(after: Endpoint) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the attributes of the failures since the last success: to set, and to remove."""
    failing = after.failing
    if failing is None:
        return {}, _FAILING
    return dict(zip(_FAILING, (failing.since_ms, failing.counted_ms, failing.spread), strict=True)), ()


def _disabling(after: Endpoint, now_ms: int) -> dict[str, Value]:
    """Return the attributes of a disabled endpoint. Its due key makes the sweeper publish `endpoint.disabled`."""
    return {
        "enabled": False,
        "disabled_reason": after.disabled_reason or "",
        "disabled_at": after.disabled_at or "",
        "updated_at": after.disabled_at or "",
        "due_shard": due_shard(after.endpoint_id),
        "due_at_ms": now_ms,
    }
