"""Response bodies of events and consumers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.cursor import write_cursor

if TYPE_CHECKING:
    from functions.events.model import Consumer, Polled
    from functions.http.json_body import Body
    from functions.webhooks.deliveries.model import Event


def event_body(event: Event) -> Body:
    """Return one event. `data` is the body of its webhooks."""
    data = json.loads(event.body)
    return {
        "id": event.event_id,
        "type": event.type,
        "timestamp": data["timestamp"],
        "submission_id": event.submission_id or None,
        "data": data,
    }


def polled_body(project_id: str, polled: Polled) -> Body:
    """Return the answer of a poll."""
    return {
        "items": [
            event_body(event)
            | {"reason": placed.entry.reason.value, "cursor": write_cursor(project_id, str(placed.position))}
            for placed, event in polled.events
        ],
        "cursor": write_cursor(project_id, str(polled.position)),
        "missed": polled.missed,
    }


def consumer_body(project_id: str, consumer: Consumer, last_position: int) -> Body:
    """Return one consumer."""
    return {
        "name": consumer.name,
        "cursor": write_cursor(project_id, str(consumer.position)),
        "behind": max(0, last_position - consumer.position),
        "created_at": consumer.created_at,
        "last_polled_at": to_rfc3339(consumer.polled_ms // MS_PER_SEC * MS_PER_SEC),
    }
