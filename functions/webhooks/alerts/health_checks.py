"""Check the health of endpoints that are due, and publish what their project must be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.webhooks.alerts.events import health_event
from functions.webhooks.endpoints.health_rule import is_degraded

if TYPE_CHECKING:
    from functions.clock import Clock
    from functions.webhooks.endpoints.disabled_event import DisabledEvents
    from functions.webhooks.endpoints.health_store import HealthStore
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.publish import Outbox


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """Checks taken endpoint rows. Repeating a check is safe: an event keeps its id."""

    health: HealthStore
    disabled_events: DisabledEvents
    outbox: Outbox
    clock: Clock

    def check(self, endpoint: Endpoint, taken_until_ms: int) -> None:
        """Publish an event that is owed, then look at the health, and publish its change.

        Raises the errors of the table, the queue and the bus. The row is due again then.
        """
        self._publish(endpoint)
        if not endpoint.enabled:
            self.disabled_events.publish(endpoint)
            return
        is_bad = is_degraded(endpoint, self.clock())
        if is_bad != (endpoint.degraded_at is not None):
            changed = self.health.change(endpoint, is_degraded=is_bad, taken_until_ms=taken_until_ms)
            reach("health.after_change")
            if changed is None:  # its project or a sender changed it: the row is due again
                return
            self._publish(changed)
            endpoint = changed
        self.health.finish_check(endpoint, taken_until_ms)

    def _publish(self, endpoint: Endpoint) -> None:
        change = endpoint.untold
        if change is None:
            return
        event = health_event(endpoint, change, self.clock())
        self.outbox.publish(event, skip_endpoint_id=endpoint.endpoint_id)
        reach("health.before_done")
        self.health.finish_event(endpoint, change)
