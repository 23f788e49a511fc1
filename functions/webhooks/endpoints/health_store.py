"""The health of endpoints in their rows: due for a check after a failure, changed by the sweeper, then published.

A check takes the row by moving its due key. One write changes the health and notes the event to publish.
So after a crash the row is due, and the next check publishes the event before it looks at the health again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.table import Table
from functions.clock import to_rfc3339
from functions.webhooks.endpoints.rows import HEALTH_CHANGE, endpoint_key, to_endpoint
from functions.webhooks.endpoints.traffic import NEVER
from functions.webhooks.vocabulary.event_types import EVENT_DEGRADED, EVENT_RECOVERED

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.webhooks.endpoints.model import Endpoint, HealthChange

CHECK_AFTER_MS = 60_000
"""The health is checked so long after a failure, with all failures of that time."""
CHECK_AGAIN_MS = 300_000
"""A degraded endpoint is checked so often, because successes make no row due."""
_DUE = ("due_shard", "due_at_ms")


def due_for_health(update: ConditionalUpdate, endpoint_id: str, now_ms: int) -> ConditionalUpdate:
    """Make the row due for a check, unless it is due already."""
    return replace(
        update,
        sets={**update.sets, "due_shard": due_shard(endpoint_id)},
        condition_values={**update.condition_values, "check_at": now_ms + CHECK_AFTER_MS},
        computed=(*update.computed, "#due_at_ms = if_not_exists(#due_at_ms, :check_at)"),
    )


class HealthStore(Table):
    """Health of endpoint rows. `taken_until_ms`: the due key of our take; the row changes only if it still has it."""

    def take(self, project_id: str, endpoint_id: str, seen_due_at_ms: int, taken_until_ms: int) -> Endpoint | None:
        """Take a due row for a check; None for a stale entry."""
        row = self._take(endpoint_key(project_id, endpoint_id), seen_due_at_ms, taken_until_ms)
        return None if row is None else to_endpoint(row)

    def change(self, endpoint: Endpoint, *, is_degraded: bool, taken_until_ms: int) -> Endpoint | None:
        """Write that an endpoint is degraded or has recovered, with the event that this owes; None if it changed."""
        at = to_rfc3339(self._clock())
        change = (EVENT_DEGRADED, at, at) if is_degraded else (EVENT_RECOVERED, at, endpoint.degraded_at or at)
        sets: dict[str, Value] = dict(zip(HEALTH_CHANGE, change, strict=True))
        condition = "#due_at_ms = :taken AND #updated_at = :seen_at"
        values: dict[str, Value] = {"taken": taken_until_ms, "seen_at": endpoint.updated_at}
        if is_degraded:
            update = ConditionalUpdate({**sets, "degraded_at": at}, condition, values)
        else:
            update = ConditionalUpdate(sets, condition, values, ("degraded_at",))
        row = self._update(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))
        return None if row is None else to_endpoint(row)

    def finish_event(self, endpoint: Endpoint, change: HealthChange) -> None:
        """Note that the event of a change is published, unless the endpoint has changed again."""
        update = ConditionalUpdate({}, "#untold_at = :at", {"at": change.at}, HEALTH_CHANGE)
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def finish_disabled_event(self, endpoint: Endpoint) -> None:
        """Clear the due key after `endpoint.disabled`, unless the endpoint was disabled again or owes another event."""
        condition = "attribute_not_exists(#disabled_at)"
        values: dict[str, Value] = {}
        if endpoint.disabled_at is not None:
            condition += " OR #disabled_at = :seen"
            values["seen"] = endpoint.disabled_at
        update = ConditionalUpdate(
            {},
            f"attribute_exists(#pk) AND attribute_not_exists(#untold_type) AND ({condition})",
            values,
            _DUE,
        )
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def finish_check(self, endpoint: Endpoint, taken_until_ms: int) -> None:
        """Plan the next check of a degraded endpoint. Others are due no more, unless they have failed again."""
        condition = "#due_at_ms = :taken"
        values: dict[str, Value] = {"taken": taken_until_ms}
        if endpoint.degraded_at is not None:
            update = ConditionalUpdate({"due_at_ms": self._clock() + CHECK_AGAIN_MS}, condition, values)
        elif endpoint.traffic.hour.period == NEVER:
            update = ConditionalUpdate({}, f"{condition} AND attribute_not_exists(#hour)", values, _DUE)
        else:
            hour = endpoint.traffic.hour
            values |= {"hour": hour.period, "failures": hour.failures}
            condition += " AND #hour = :hour AND #hour_failures = :failures"
            update = ConditionalUpdate({}, condition, values, _DUE)
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))
