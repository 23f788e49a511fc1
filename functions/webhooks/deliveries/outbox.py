"""The outbox: store an event with its deliveries in one transaction, send hints, and put the event on the bus.

Every write is idempotent, so the sweeper may repeat the call. `submissions.complete` writes the rows of a finished run
together with its final state; it uses `plan_publication` itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms
from functions.failpoint import reach
from functions.webhooks.deliveries.publication import plan_publication
from functions.webhooks.endpoints.store import Subscribers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.event_log.bus import Bus
    from functions.event_log.model import Event
    from functions.webhooks.deliveries.hints import DeliveryHints, Hint
    from functions.webhooks.deliveries.publication import RunTarget
    from functions.webhooks.deliveries.store import DeliveryStore
    from functions.webhooks.endpoints.store import EndpointStore


@dataclass(frozen=True, slots=True)
class Outbox:
    """Publishes events. Its rows are written before anything is sent."""

    deliveries: DeliveryStore
    endpoints: EndpointStore
    hints: DeliveryHints
    bus: Bus
    clock: Clock = now_ms

    def publish(self, event: Event, *, skip_endpoint_id: str | None = None, only: frozenset[str] = frozenset()) -> None:
        """Write the event and its deliveries, send their hints, then put the event on the bus.

        Targets: every endpoint that subscribes, except `skip_endpoint_id`. `only`: ids of the endpoints that may get
        it; all may if none of these is there, so that no mistake hides an event. Raises the errors of the tables, the
        queue and the bus. Nothing is lost then: the caller repeats the call.
        """
        subscribers = self.endpoints.subscribers(event.project_id).among(only).without(skip_endpoint_id)
        stored = self._store(event, subscribers, None)
        if stored is None:  # the submission was deleted meanwhile
            return
        self.bus.publish(stored)
        reach("publish.after_bus")

    def send(self, event: Event, target: RunTarget) -> None:
        """Write an event that only one URL gets, with its delivery, and send the hint. Raises as `publish` does."""
        self._store(event, Subscribers(), target)

    def _store(self, event: Event, subscribers: Subscribers, target: RunTarget | None) -> Event | None:
        """Write an event and its deliveries unless they are there, and send their hints; return it as it is stored."""
        plan = plan_publication(self.deliveries.table_name, event, subscribers, target, self.clock())
        hints: Sequence[Hint] = plan.hints
        if not self.deliveries.put_publication(plan):
            kept = self.deliveries.get_event(event.event_id)
            if kept is None:
                return None
            event = kept  # a rendering of this revision may have other bytes
            hints = self.deliveries.pending_hints(event.event_id)
        reach("publish.after_rows")
        self.hints.send_all(hints)
        reach("publish.after_hint")
        return event
