"""The events about endpoints and deliveries that fail. They have the host of a URL only."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions.clock import to_rfc3339
from functions.event_log.cut_body import event_bytes
from functions.event_log.model import Event
from functions.webhooks.endpoints.traffic import deciding_rate
from functions.webhooks.vocabulary.event_types import EVENT_DISABLED, EVENT_EXHAUSTED

if TYPE_CHECKING:
    from functions.webhooks.deliveries.exhausted_store import ExhaustedDeliveries
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
