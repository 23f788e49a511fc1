"""Alerts: events about failing endpoints and deliveries, for the project's other endpoints and the bus.

Their bodies have the host of a URL only. The sweeper handles the rows that are due.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions.clock import to_rfc3339
from functions.event_log.model import Event, event_bytes
from functions.failpoint import reach
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.endpoints.model import DisabledReason, deciding_rate, is_degraded
from functions.webhooks.vocabulary import EVENT_DISABLED, EVENT_EXHAUSTED

if TYPE_CHECKING:
    from functions.clock import Clock
    from functions.webhooks.deliveries.exhausted_store import ExhaustedDeliveries, ExhaustedStore
    from functions.webhooks.deliveries.publication import Outbox
    from functions.webhooks.deliveries.rows import DueEndpoint, DueExhausted
    from functions.webhooks.endpoints.health import HealthStore
    from functions.webhooks.endpoints.model import Endpoint, HealthChange


_NAMESPACE = uuid.UUID("5f3a1de2-6f84-4c7e-9a06-2f1c9f0d7b58")


def health_event(endpoint: Endpoint, change: HealthChange, now_ms: int) -> Event:
    """Build the event of a change of health. Its id is the same on every call for one change."""
    window, rate = deciding_rate(endpoint, now_ms)
    body = {
        "type": change.type,
        "timestamp": change.at,
        "endpoint_id": endpoint.endpoint_id,
        "host": urlsplit(endpoint.url).hostname or "",
        "degraded_at": change.degraded_at,
        "window": window,
        "attempts": round(rate.attempts),
        "failures": round(rate.failures),
    }
    return _event(change.type, endpoint.project_id, f"{endpoint.endpoint_id}:{change.type}:{change.at}", body)


def disabled_event(endpoint: Endpoint) -> Event:
    """Build the event of a disabled endpoint. It is the same on every call for one disabling."""
    body = {
        "type": EVENT_DISABLED,
        "timestamp": endpoint.disabled_at,
        "endpoint_id": endpoint.endpoint_id,
        "host": urlsplit(endpoint.url).hostname or "",
        "reason": endpoint.disabled_reason,
    }
    name = f"{endpoint.endpoint_id}:{EVENT_DISABLED}:{endpoint.disabled_at}"
    return _event(EVENT_DISABLED, endpoint.project_id, name, body)


def exhausted_event(exhausted: ExhaustedDeliveries) -> Event:
    """Build the event of exhausted deliveries of one target."""
    since = to_rfc3339(exhausted.since_ms)
    body = {
        "type": EVENT_EXHAUSTED,
        "timestamp": since,
        "endpoint_id": exhausted.endpoint_id,
        "deliveries": exhausted.count,
        "last_delivery_id": exhausted.last_delivery,
    }
    name = f"{exhausted.project_id}:{exhausted.endpoint_id}:{EVENT_EXHAUSTED}:{since}"
    return _event(EVENT_EXHAUSTED, exhausted.project_id, name, body)


def _event(event_type: str, project_id: str, name: str, body: dict[str, Any]) -> Event:
    return Event(str(uuid.uuid5(_NAMESPACE, name)), event_type, project_id, event_bytes(body))


@dataclass(frozen=True, slots=True)
class DisabledEvents:
    """Publishes `endpoint.disabled` once for each disabling.

    The write that disables an endpoint also makes its row due. After a crash the sweeper publishes the event.
    """

    health: HealthStore
    outbox: Outbox

    def publish(self, endpoint: Endpoint) -> None:
        """Publish to the project's other endpoints and the bus, then clear the due key. Repeating the call is safe."""
        # No event if the endpoint was enabled again, or if its owner disabled it.
        if not endpoint.enabled and endpoint.disabled_reason in {DisabledReason.GONE, DisabledReason.FAILING}:
            self.outbox.publish(disabled_event(endpoint), skip_endpoint_id=endpoint.endpoint_id)
        reach("disabled_event.before_done")
        self.health.finish_disabled_event(endpoint)


@dataclass(frozen=True, slots=True)
class Alerts:
    """Checks endpoints and publishes exhausted deliveries whose rows are due. A method returns False for a stale entry.

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
