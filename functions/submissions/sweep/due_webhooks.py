"""Due rows of webhooks: deliveries without a hint, alerts, deletions of endpoints, and lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.model import HINTED_MS
from functions.webhooks.deliveries.rows import DueDeletion, DueDelivery, DueEndpoint, DueExhausted

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.clock import Clock
    from functions.webhooks.alerts import Alerts
    from functions.webhooks.deliveries.hints import DeliveryHints
    from functions.webhooks.deliveries.rows import DueRow
    from functions.webhooks.deliveries.store import Deletions, DeliveryStore
    from functions.webhooks.sending.slots import LaneWaker

TAKEN_MS = 30_000
"""Longer than the handling of a row takes, and shorter than the time between two sweeps: each looks at a row again."""
DELETION_MS = 500  # of a sweep, for each deleted endpoint


@dataclass(frozen=True, slots=True)
class DueWebhooks:
    """Handles due rows of webhooks."""

    deliveries: DeliveryStore
    hints: DeliveryHints
    alerts: Alerts
    deletions: Deletions
    lane_waker: LaneWaker
    clock: Clock

    def handle(self, due: DueRow, record_age: Callable[[int], None]) -> None:
        """Handle one row if its due time is still that of the index. `record_age` takes the delay of a late one."""
        now = self.clock()
        if isinstance(due, DueDelivery):
            self._send_hint(due, now, record_age)
        elif isinstance(due, DueEndpoint):
            if self.alerts.check_endpoint(due, now + TAKEN_MS):
                record_age(now - due.due_at_ms)
        elif isinstance(due, DueExhausted):
            if self.alerts.publish_exhausted(due, now + TAKEN_MS):
                record_age(now - due.due_at_ms)
        elif isinstance(due, DueDeletion):
            if self.deletions.cancel_open(due.project_id, due.endpoint_id, due.due_at_ms, DELETION_MS):
                record_age(self.clock() - due.due_at_ms)
        else:
            self.lane_waker.wake_due(due, now + TAKEN_MS)

    def _send_hint(self, due: DueDelivery, now: int, record_age: Callable[[int], None]) -> None:
        row = self.deliveries.push_back(due, now + HINTED_MS)
        if row is None:
            return
        if row.lane_at_ms is None:  # a parked delivery is not late: no send slot was free
            record_age(now - row.due_since_ms)
        reach("sweep.after_take")
        self.hints.send(Hint.of(row))
