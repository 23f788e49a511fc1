"""Exhausted deliveries without an event yet: one row for each target of a project.

The transaction that exhausts a delivery counts it here and makes the row due. The sweeper publishes the count, and
keeps the row for QUIET_MS: so a target has at most one `delivery.exhausted` in that time, however many deliveries fail.
The attribute `telling` is the count of an event that is being published, the same after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import key
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.store import endpoint_pk

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.webhooks.deliveries.model import Delivery

EXHAUSTED_PREFIX = "EXHAUSTED#"
QUIET_MS = 3_600_000
_TTL_SECS = 8 * 86_400
_DUE = ("due_shard", "due_at_ms")


@dataclass(frozen=True, slots=True)
class ExhaustedDeliveries:
    """The row of one target. `endpoint_id`: `run` for the runs' own URLs. `count`: of the event to publish; 0: none."""

    project_id: str
    endpoint_id: str
    since_ms: int
    last_delivery: str
    count: int


def count_exhausted(table_name: str, delivery: Delivery, now_ms: int) -> Any:
    """Return the action that counts an exhausted delivery, for the transaction that exhausts it."""
    update = ConditionalUpdate(
        {
            "last_delivery": f"{delivery.event_id}.{delivery.endpoint_id}",
            "ttl": now_ms // MS_PER_SEC + _TTL_SECS,
        },
        "",
        {"zero": 0, "one": 1, "now": now_ms, "shard": due_shard(delivery.event_id)},
        computed=(
            "#count = if_not_exists(#count, :zero) + :one",
            "#since_ms = if_not_exists(#since_ms, :now)",
            "#due_shard = if_not_exists(#due_shard, :shard)",
            "#due_at_ms = if_not_exists(#due_at_ms, :now)",
        ),
    )
    return update.action(table_name, exhausted_key(delivery.project_id, delivery.endpoint_id))


def exhausted_key(project_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of the row of a target."""
    return key(endpoint_pk(project_id), EXHAUSTED_PREFIX + endpoint_id)


class ExhaustedStore(Table):
    """Rows of the deliveries table. `taken_until_ms`: the due key of our take; a row changes only if it has it."""

    def take(
        self, project_id: str, endpoint_id: str, seen_due_at_ms: int, taken_until_ms: int
    ) -> ExhaustedDeliveries | None:
        """Take a due row by moving its due key, and fix the count to publish; None for a stale entry."""
        row_key = exhausted_key(project_id, endpoint_id)
        row = self._take(row_key, seen_due_at_ms, taken_until_ms)
        if row is not None and "telling" not in row and row["count"]:
            fix = ConditionalUpdate(
                {},
                "#due_at_ms = :taken",
                {"taken": taken_until_ms, "now": self._clock()},
                computed=("#telling = #count", "#since_ms = if_not_exists(#since_ms, :now)"),
            )
            row = self._update(fix, row_key)
        if row is None:
            return None
        since_ms, count = row.get("since_ms", 0), row.get("telling", 0)
        return ExhaustedDeliveries(project_id, endpoint_id, since_ms, row["last_delivery"], count)

    def finish(self, published: ExhaustedDeliveries, taken_until_ms: int) -> None:
        """Subtract the published count. Later deliveries have their event after QUIET_MS."""
        update = ConditionalUpdate(
            {"due_at_ms": self._clock() + QUIET_MS},
            "#due_at_ms = :taken",
            {"taken": taken_until_ms},
            ("telling", "since_ms"),
            computed=("#count = #count - #telling",),
        )
        self._update_unread(update, exhausted_key(published.project_id, published.endpoint_id))

    def end(self, ended: ExhaustedDeliveries, taken_until_ms: int) -> None:
        """Remove the due key of a row with the count 0, unless a delivery was exhausted since."""
        values: dict[str, Value] = {"taken": taken_until_ms, "zero": 0}
        update = ConditionalUpdate({}, "#due_at_ms = :taken AND #count = :zero", values, _DUE)
        self._update_unread(update, exhausted_key(ended.project_id, ended.endpoint_id))
