"""Bodies of `endpoint.degraded`, `endpoint.recovered` and `delivery.exhausted`. They have the host of a URL only."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions.clock import to_rfc3339
from functions.webhooks.deliveries.model import Event
from functions.webhooks.endpoints.health_rule import deciding_rate
from functions.webhooks.event_types import EVENT_DEGRADED, EVENT_EXHAUSTED, EVENT_RECOVERED

if TYPE_CHECKING:
    from functions.webhooks.alerts.exhausted_store import ExhaustedDeliveries
    from functions.webhooks.endpoints.model import Endpoint, HealthChange

SCHEMAS = {
    EVENT_DEGRADED: "webhook/endpoint_degraded.v1",
    EVENT_RECOVERED: "webhook/endpoint_recovered.v1",
    EVENT_EXHAUSTED: "webhook/delivery_exhausted.v1",
}
_NAMESPACE = uuid.UUID("5f3a1de2-6f84-4c7e-9a06-2f1c9f0d7b58")


def health_event(endpoint: Endpoint, change: HealthChange, now_ms: int) -> Event:
    """Build the event of a change of health. Its id is the same on every call for one change."""
    window, rate = deciding_rate(endpoint, now_ms)
    body = {
        "type": change.event_type,
        "timestamp": change.at,
        "endpoint_id": endpoint.endpoint_id,
        "host": urlsplit(endpoint.url).hostname or "",
        "degraded_at": change.degraded_at,
        "window": window,
        "attempts": round(rate.attempts),
        "failures": round(rate.failures),
    }
    return _event(
        change.event_type, endpoint.project_id, f"{endpoint.endpoint_id}:{change.event_type}:{change.at}", body
    )


def exhausted_event(exhausted: ExhaustedDeliveries) -> Event:
    """Build the event of exhausted deliveries of one target."""
    since = to_rfc3339(exhausted.since_ms)
    body = {
        "type": EVENT_EXHAUSTED,
        "timestamp": since,
        "endpoint_id": exhausted.endpoint_id,
        "deliveries": exhausted.telling,
        "last_delivery_id": exhausted.last_delivery,
    }
    name = f"{exhausted.project_id}:{exhausted.endpoint_id}:{EVENT_EXHAUSTED}:{since}"
    return _event(EVENT_EXHAUSTED, exhausted.project_id, name, body)


def _event(event_type: str, project_id: str, name: str, body: dict[str, Any]) -> Event:
    return Event(
        event_id=str(uuid.uuid5(_NAMESPACE, name)),
        type=event_type,
        schema=SCHEMAS[event_type],
        project_id=project_id,
        submission_id="",
        body=json.dumps(body, separators=(",", ":")).encode(),
    )
