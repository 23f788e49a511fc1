"""Publish to a project's other endpoints that failures disabled one.

The write that disables an endpoint also makes its row due. After a crash the sweeper publishes the event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.webhooks.alerts.events import disabled_event
from functions.webhooks.endpoints.model import DisabledReason

if TYPE_CHECKING:
    from functions.webhooks.deliveries.outbox import Outbox
    from functions.webhooks.endpoints.health import HealthStore
    from functions.webhooks.endpoints.model import Endpoint


@dataclass(frozen=True, slots=True)
class DisabledEvents:
    """Publishes `endpoint.disabled` once for each disabling."""

    health: HealthStore
    outbox: Outbox

    def publish(self, endpoint: Endpoint) -> None:
        """Publish to the project's other endpoints and the bus, then clear the due key. Repeating the call is safe."""
        # No event if the endpoint was enabled again, or if its owner disabled it.
        if not endpoint.enabled and endpoint.disabled_reason in {DisabledReason.GONE, DisabledReason.FAILING}:
            self.outbox.publish(disabled_event(endpoint), skip_endpoint_id=endpoint.endpoint_id)
        reach("disabled_event.before_done")
        self.health.finish_disabled_event(endpoint)
