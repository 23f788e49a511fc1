"""The routes of events and their consumers, with what a client sees of both."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from functions.aws.dynamodb.transaction import RowsContendedError
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import ConflictError, NotFoundError, UnavailableError
from functions.event_log.log import ConsumerStore, EventLog
from functions.event_log.model import MAX_CONSUMERS, Consumer, Event, Reason
from functions.event_log.rows import LogWriter
from functions.feed.listing import EVENT_TYPES, LIST_KEY, EventListing, event_filters
from functions.feed.poll import Poll, Polled, consumer_name, poll_request
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Count, Error, Time, Uuid
from functions.http.openapi.operation import BAD, ID, KEYED, NO_RESPONSE, PAGE, TAKES_BODY, Answer, path, query
from functions.http.parameters import (
    LONG_POLL_MAX_SECS,
    page_limit,
    start_after,
    uuid,
    write_cursor,
)
from functions.http.resolver import Resolver, Route
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate
from functions.webhooks.vocabulary import EVENT_COMPLETED, EVENT_TEST, FILTERABLE_EVENTS

# What a client sees of events and consumers. Each `TypedDict` is a schema of the OpenAPI document.


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
    return {
        "name": consumer.name,
        "cursor": write_cursor(project_id, str(consumer.position)),
        "behind": max(0, last_position - consumer.position),
        "created_at": consumer.created_at,
        "last_polled_at": to_rfc3339(consumer.polled_ms // MS_PER_SEC * MS_PER_SEC),
    }


# The request of a sample event.


class SampleRequest(BaseModel):
    """Body of POST /api/event-samples."""

    model_config = ConfigDict(frozen=True)

    type: Literal[(*FILTERABLE_EVENTS, EVENT_TEST)] = Field(description="Type of the sample.")  # type: ignore[valid-type]


# Routes of /api/events, /api/event-types, /api/event-consumers and /api/event-samples.

NO_SUCH_EVENT = "There is no such event."
_NO_SUCH_CONSUMER = "There is no such consumer."
_BUSY = "Other requests keep changing this project's event log. Repeat the request."
_NO_CONSUMER = "A sample goes to consumers, and this project has none. Start `rustbox listen`, or poll, then repeat."


@dataclass(frozen=True, slots=True)
class EventRoutes:
    """Handlers. All of them raise ServiceError."""

    env: Env

    def page(self, app: Resolver) -> Response[str]:
        query = app.current_event.query_string_parameters
        project_id = self._project(app)
        limit, filters = page_limit(query), event_filters(query)
        after = start_after(query, project_id, LIST_KEY)
        page = self.env[EventListing].page(project_id, filters, limit, after)
        return page_answer(project_id, page, lambda listed: event_body(listed.event), lambda listed: listed.key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        event = self.env[EventListing].one(self._project(app), uuid(id_text))
        if event is None:
            raise NotFoundError(NO_SUCH_EVENT)
        return answer(event_body(event))

    def poll(self, app: Resolver) -> Response[str]:
        project_id = self._project(app)
        request = poll_request(app.current_event.query_string_parameters, project_id)
        try:
            polled = self.env[Poll].poll(project_id, request, app.secs_left)
        except RowsContendedError:
            raise UnavailableError(_BUSY, 1) from None
        return answer(polled_body(project_id, polled))

    def consumers(self, app: Resolver) -> Response[str]:
        project_id = self._project(app)
        last = self.env[EventLog].head(project_id).last
        found = self.env[ConsumerStore].list_all(project_id)
        return answer({"items": [consumer_body(project_id, one, last) for one in found], "next_cursor": None})

    def delete_consumer(self, app: Resolver, name: str) -> Response[str]:
        project_id = self._project(app)
        try:
            is_deleted = self.env[ConsumerStore].delete(project_id, consumer_name(name))
        except RowsContendedError:
            raise UnavailableError(_BUSY, 1) from None
        if not is_deleted:
            raise NotFoundError(_NO_SUCH_CONSUMER)
        return answer({"name": name, "deleted": True})

    def types(self, app: Resolver) -> Response[str]:
        from functions.feed.catalogue import catalogue  # noqa: PLC0415 - imports every model; few requests need it

        self._project(app)
        return answer({"items": list(catalogue()), "next_cursor": None})

    def sample(self, app: Resolver) -> Response[str]:
        from functions.feed.catalogue import sample_event  # noqa: PLC0415 - same

        project_id = self._project(app)
        request = parse_body(SampleRequest, json_body(app.current_event))
        event = sample_event(project_id, request, self.env.clock())
        if not self.env[LogWriter].add_test(event):
            raise ConflictError(_NO_CONSUMER)
        return answer(event_body(event))

    def _project(self, app: Resolver) -> str:
        return authenticate(app.current_event, self.env).project_id


_TYPES = query(
    "type",
    {"type": "array", "items": {"enum": list(EVENT_TYPES)}},
    "Only events of these types.",
) | {"style": "form", "explode": False}
SINCE = query("since", {"type": "string", "format": "date-time"}, "Only events since this time.")
ORDER = query(
    "order",
    {"enum": ["desc", "asc"], "default": "desc"},
    "desc: newest first. By the time when a run was accepted, or when another event happened.",
)
_NAME: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
_UNKNOWN: Answer = ("`not_found`: the project has no such event.", (Error,))
_UNKNOWN_CONSUMER: Answer = ("`not_found`: the project has no such consumer.", (Error,))

EVENT_ROUTES: tuple[Route[EventRoutes], ...] = (
    Route(
        "GET /api/events",
        EventRoutes.page,
        "listEvents",
        "List the project's events with their bodies",
        {200: ("One page.", (EventPage,)), 400: BAD, **KEYED},
        (
            _TYPES,
            SINCE,
            query(
                "delivered",
                {"enum": ["false"]},
                "Only events with a delivery that is neither delivered nor cancelled; `since`: created since then.",
            ),
            query("submission_id", {"type": "string", "format": "uuid"}, "Only the event of this submission."),
            ORDER,
            *PAGE,
        ),
        rights=("read", "webhooks"),
    ),
    Route(
        "GET /api/events/poll",
        EventRoutes.poll,
        "pollEvents",
        "Commit a cursor, and get the events that follow it",
        {
            200: ("Events in the order of the log; none after the wait.", (PolledEvents,)),
            400: BAD,
            409: (
                f"`conflict`: the cursor is ahead of the log, or the project has {MAX_CONSUMERS} consumers.",
                (Error,),
            ),
            504: NO_RESPONSE,
            **KEYED,
        },
        (
            {
                "name": "consumer",
                "in": "query",
                "required": True,
                "schema": _NAME,
                "description": "Name of the consumer. Its first poll creates it.",
            },
            query(
                "cursor",
                {"type": "string", "minLength": 1},
                "Commits all events up to it. Without it, events come again.",
            ),
            query("from", {"enum": ["latest", "earliest"], "default": "latest"}, "Where a new consumer begins."),
            _TYPES,
            query(
                "include",
                {"type": "array", "items": {"enum": ["replays", "tests"]}},
                "Also replays of deliveries, or test sends and samples.",
            )
            | {"style": "form", "explode": False},
            query(
                "wait",
                {"anyOf": [{"type": "boolean"}, {"type": "number", "minimum": 0, "maximum": LONG_POLL_MAX_SECS}]},
                f"Seconds to wait for an event; true: {LONG_POLL_MAX_SECS}.",
            ),
            PAGE[0],
        ),
        waits="if_asked",
        rights=("webhooks",),
    ),
    Route(
        "GET /api/events/{id}",
        EventRoutes.one,
        "getEvent",
        "Show an event with its body",
        {200: ("The event.", (EventView,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (ID,),
        rights=("read", "webhooks"),
    ),
    Route(
        "GET /api/event-types",
        EventRoutes.types,
        "listEventTypes",
        "List the types of events, each with a JSON Schema and an example",
        {200: ("All types.", (EventTypePage,)), **KEYED},
        rights=("read", "webhooks"),
    ),
    Route(
        "GET /api/event-consumers",
        EventRoutes.consumers,
        "listConsumers",
        "List the project's consumers of events",
        {200: ("All consumers.", (ConsumerPage,)), **KEYED},
        rights=("read", "webhooks"),
    ),
    Route(
        "DELETE /api/event-consumers/{name}",
        EventRoutes.delete_consumer,
        "deleteConsumer",
        "Delete a consumer and its position",
        {200: ("Deleted.", (ConsumerDeleted,)), 400: BAD, 404: _UNKNOWN_CONSUMER, **KEYED},
        (path("name", _NAME),),
        rights=("webhooks",),
    ),
    Route(
        "POST /api/event-samples",
        EventRoutes.sample,
        "sendSample",
        "Send a sample event to the consumers that include tests",
        {
            200: ("The sample.", (EventView,)),
            400: ("`bad_request`: broken JSON.", (Error,)),
            409: ("`conflict`: the project has no consumer.", (Error,)),
            **TAKES_BODY,
        },
        request=SampleRequest,
        examples={"a finished run": {"value": {"type": EVENT_COMPLETED}}},
        rights=("webhooks",),
    ),
)
