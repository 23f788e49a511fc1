"""Alerts that are due: the sweeper's view of endpoints to check and of exhausted deliveries to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.webhooks.alerts.events import exhausted_event
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID

if TYPE_CHECKING:
    from functions.webhooks.alerts.exhausted_store import ExhaustedStore
    from functions.webhooks.alerts.health_checks import HealthChecks
    from functions.webhooks.deliveries.due import DueEndpoint, DueExhausted
    from functions.webhooks.publish import Outbox


@dataclass(frozen=True, slots=True)
class Alerts:
    """Handles due rows of alerts. Each method returns False for a stale entry of the due index.

    A failed or crashed call leaves the row due at `taken_until_ms`, and then publishes an event with the same id.
    """

    checks: HealthChecks
    exhausted: ExhaustedStore
    outbox: Outbox

    def check_endpoint(self, due: DueEndpoint, taken_until_ms: int) -> bool:
        """Check the health of an endpoint, and publish what its project must be told."""
        endpoint = self.checks.health.take(due.project_id, due.endpoint_id, due.due_at_ms, taken_until_ms)
        if endpoint is None:
            return False
        reach("sweep.after_take")
        self.checks.check(endpoint, taken_until_ms)
        return True

    def tell_exhausted(self, due: DueExhausted, taken_until_ms: int) -> bool:
        """Publish `delivery.exhausted` for the deliveries of one target."""
        row = self.exhausted.take(due.project_id, due.endpoint_id, due.due_at_ms, taken_until_ms)
        if row is None:
            return False
        reach("sweep.after_take")
        if not row.telling:
            self.exhausted.end(row, taken_until_ms)
            return True
        skipped = None if row.endpoint_id == RUN_ENDPOINT_ID else row.endpoint_id
        self.outbox.publish(exhausted_event(row), skip_endpoint_id=skipped)
        reach("exhausted.before_done")
        self.exhausted.finish(row, taken_until_ms)
        return True
