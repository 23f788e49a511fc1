"""Alerts that are due: the sweeper checks the health of endpoints, and publishes events of exhausted deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.webhooks.alerts.events import exhausted_event, health_event
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.endpoints.traffic import is_degraded

if TYPE_CHECKING:
    from functions.clock import Clock
    from functions.webhooks.alerts.disabled_events import DisabledEvents
    from functions.webhooks.deliveries.due import DueEndpoint, DueExhausted
    from functions.webhooks.deliveries.exhausted_store import ExhaustedStore
    from functions.webhooks.deliveries.outbox import Outbox
    from functions.webhooks.endpoints.health import HealthStore
    from functions.webhooks.endpoints.model import Endpoint


@dataclass(frozen=True, slots=True)
class Alerts:
    """Handles due rows of alerts. A method returns False for a stale entry of the due index.

    A failed or crashed call leaves the row due at `taken_until_ms`, and then publishes an event with the same id.
    """

    health: HealthStore
    exhausted: ExhaustedStore
    disabled_events: DisabledEvents
    outbox: Outbox
    clock: Clock

    def check_endpoint(self, due: DueEndpoint, taken_until_ms: int) -> bool:
        """Check the health of an endpoint, and publish a change."""
        endpoint = self.health.take(due.project_id, due.endpoint_id, due.due_at_ms, taken_until_ms)
        if endpoint is None:
            return False
        reach("sweep.after_take")
        self.check_health(endpoint, taken_until_ms)
        return True

    def check_health(self, endpoint: Endpoint, taken_until_ms: int) -> None:
        """Publish an event that a taken endpoint owes, then look at its health, and publish the change.

        Raises the errors of the table, the queue and the bus. The row is due again then.
        """
        self._publish_change(endpoint)
        if not endpoint.enabled:
            self.disabled_events.publish(endpoint)
            return
        is_bad = is_degraded(endpoint, self.clock())
        if is_bad != (endpoint.degraded_at is not None):
            changed = self.health.change(endpoint, is_degraded=is_bad, taken_until_ms=taken_until_ms)
            reach("health.after_change")
            if changed is None:  # its project or a sender changed it: the row is due again
                return
            self._publish_change(changed)
            endpoint = changed
        self.health.finish_check(endpoint, taken_until_ms)

    def publish_exhausted(self, due: DueExhausted, taken_until_ms: int) -> bool:
        """Publish `delivery.exhausted` for the deliveries of one target."""
        row = self.exhausted.take(due.project_id, due.endpoint_id, due.due_at_ms, taken_until_ms)
        if row is None:
            return False
        reach("sweep.after_take")
        if not row.count:
            self.exhausted.end(row, taken_until_ms)
            return True
        skipped = None if row.endpoint_id == RUN_ENDPOINT_ID else row.endpoint_id
        self.outbox.publish(exhausted_event(row), skip_endpoint_id=skipped)
        reach("exhausted.before_done")
        self.exhausted.finish(row, taken_until_ms)
        return True

    def _publish_change(self, endpoint: Endpoint) -> None:
        change = endpoint.unpublished_change
        if change is None:
            return
        event = health_event(endpoint, change, self.clock())
        self.outbox.publish(event, skip_endpoint_id=endpoint.endpoint_id)
        reach("health.before_done")
        self.health.finish_event(endpoint, change)
