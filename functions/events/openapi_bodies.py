"""Response bodies of events."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.evidence import Count
from functions.webhooks.log_entry import Reason

_Object = dict[str, Any]


class EventView(BaseModel):
    """An event."""

    id: Uuid = Field(description="The webhook-id of its deliveries.")
    type: str
    timestamp: Time = Field(description="When it happened.")
    submission_id: Uuid | None = Field(description="null: the event has no submission.")
    data: _Object = Field(description="The body of its webhooks; see `GET /api/event-types`.")


class EventPage(BaseModel):
    """One page. A short page may have a next page."""

    items: list[EventView]
    next_cursor: str | None


class PolledEvent(EventView):
    """An event of the log."""

    reason: Reason = Field(description="event: it happened; replay: a delivery was replayed; test: nothing happened.")
    cursor: str = Field(description="Commits all events up to this one.")


class PolledEvents(BaseModel):
    """Events that follow the committed position, in order."""

    items: list[PolledEvent]
    cursor: str = Field(description="Commits all of these events. Pass it to the next poll.")
    missed: Count = Field(description="Events that expired before this consumer polled them.")


class ConsumerView(BaseModel):
    """A consumer of the event log."""

    name: str
    cursor: str = Field(description="Its committed position.")
    behind: Count = Field(description="Events of the log that follow it. Events since the last poll are not counted.")
    created_at: Time
    last_polled_at: Time = Field(description="At most an hour older than its last poll.")


class ConsumerPage(BaseModel):
    """All consumers."""

    items: list[ConsumerView]
    next_cursor: None


class ConsumerDeleted(BaseModel):
    """A deleted consumer."""

    name: str
    deleted: Literal[True]


class EventType(BaseModel):
    """A type of events."""

    type: str
    description: str
    json_schema: _Object = Field(alias="schema", description="JSON Schema of the body.")
    example: _Object


class EventTypePage(BaseModel):
    """All types."""

    items: list[EventType]
    next_cursor: None
