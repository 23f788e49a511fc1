"""What a client sees of events and consumers. Each `TypedDict` is a schema of the OpenAPI document."""

import json
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import Consumer, Event, Reason
from functions.feed.model import Polled
from functions.http.openapi.bodies import Count, Time, Uuid
from functions.http.parameters import write_cursor


class EventView(TypedDict):
    """An event."""

    id: Annotated[Uuid, Field(description="The webhook-id of its deliveries.")]
    type: str
    timestamp: Annotated[Time, Field(description="When it happened.")]
    submission_id: Annotated[Uuid | None, Field(description="null: the event has no submission.")]
    data: Annotated[dict[str, Any], Field(description="The body of its webhooks; see `GET /api/event-types`.")]


class EventPage(TypedDict):
    """One page. A short page may have a next page."""

    items: list[EventView]
    next_cursor: str | None


class PolledEvent(EventView):
    """An event of the log."""

    reason: Annotated[
        Reason, Field(description="event: it happened; replay: a delivery was replayed; test: nothing happened.")
    ]
    cursor: Annotated[str, Field(description="Commits all events up to this one.")]


class PolledEvents(TypedDict):
    """Events that follow the committed position, in order."""

    items: list[PolledEvent]
    cursor: Annotated[str, Field(description="Commits all of these events. Pass it to the next poll.")]
    missed: Annotated[Count, Field(description="Events that expired before this consumer polled them.")]


class ConsumerView(TypedDict):
    """A consumer of the event log."""

    name: str
    cursor: Annotated[str, Field(description="Its committed position.")]
    behind: Annotated[
        Count, Field(description="Events of the log that follow it. Events since the last poll are not counted.")
    ]
    created_at: Time
    last_polled_at: Annotated[Time, Field(description="At most an hour older than its last poll.")]


class ConsumerPage(TypedDict):
    """All consumers."""

    items: list[ConsumerView]
    next_cursor: None


class ConsumerDeleted(TypedDict):
    """A deleted consumer."""

    name: str
    deleted: Literal[True]


class EventType(TypedDict):
    """A type of events."""

    type: str
    description: str
    schema: Annotated[dict[str, Any], Field(description="JSON Schema of the body.")]
    example: dict[str, Any]


class EventTypePage(TypedDict):
    """All types."""

    items: list[EventType]
    next_cursor: None


def event_body(event: Event) -> EventView:
    """Return one event. `data` is the body of its webhooks."""
    data = json.loads(event.body)
    return {
        "id": event.event_id,
        "type": event.type,
        "timestamp": data["timestamp"],
        "submission_id": event.submission_id or None,
        "data": data,
    }


def polled_body(project_id: str, polled: Polled) -> PolledEvents:
    """Return the answer of a poll."""
    return {
        "items": [
            {
                **event_body(event),
                "reason": placed.entry.reason,
                "cursor": write_cursor(project_id, str(placed.position)),
            }
            for placed, event in polled.events
        ],
        "cursor": write_cursor(project_id, str(polled.position)),
        "missed": polled.missed,
    }


def consumer_body(project_id: str, consumer: Consumer, last_position: int) -> ConsumerView:
    """Return one consumer."""
    return {
        "name": consumer.name,
        "cursor": write_cursor(project_id, str(consumer.position)),
        "behind": max(0, last_position - consumer.position),
        "created_at": consumer.created_at,
        "last_polled_at": to_rfc3339(consumer.polled_ms // MS_PER_SEC * MS_PER_SEC),
    }
