"""The routes of events and their consumers."""

from typing import Any

from functions.event_log.model import MAX_CONSUMERS
from functions.feed.parameters import EVENT_TYPES
from functions.feed.requests import SampleRequest
from functions.feed.routes import EventRoutes
from functions.feed.views import ConsumerDeleted, ConsumerPage, EventPage, EventTypePage, EventView, PolledEvents
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import (
    BAD,
    ID,
    KEYED,
    NO_RESPONSE,
    PAGE,
    TAKES_BODY,
    Answer,
    path,
    query,
)
from functions.http.parameters import LONG_POLL_MAX_SECS
from functions.http.route import Route
from functions.webhooks.vocabulary import EVENT_COMPLETED

_TYPES = query(
    "type",
    {"type": "array", "items": {"enum": list(EVENT_TYPES)}},
    "Only events of these types.",
) | {"style": "form", "explode": False}
_NAME: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
_UNKNOWN: Answer = ("`not_found`: the project has no such event.", (Error,))
_UNKNOWN_CONSUMER: Answer = ("`not_found`: the project has no such consumer.", (Error,))

EVENT_ROUTES: tuple[Route[EventRoutes], ...] = (
    Route(
        "GET",
        "/api/events",
        EventRoutes.page,
        "listEvents",
        "List the project's events with their bodies",
        {200: ("One page.", (EventPage,)), 400: BAD, **KEYED},
        (
            _TYPES,
            query("since", {"type": "string", "format": "date-time"}, "Only events since this time."),
            query(
                "delivered",
                {"enum": ["false"]},
                "Only events with a delivery that is neither delivered nor cancelled; `since`: created since then.",
            ),
            query("submission_id", {"type": "string", "format": "uuid"}, "Only the event of this submission."),
            query(
                "order",
                {"enum": ["desc", "asc"], "default": "desc"},
                "desc: newest first. By the time when a run was accepted, or when another event happened.",
            ),
            *PAGE,
        ),
    ),
    Route(
        "GET",
        "/api/events/poll",
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
            query("cursor", {"type": "string"}, "Commits all events up to it. Without it, events come again."),
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
    ),
    Route(
        "GET",
        "/api/events/{id}",
        EventRoutes.one,
        "getEvent",
        "Show an event with its body",
        {200: ("The event.", (EventView,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (ID,),
    ),
    Route(
        "GET",
        "/api/event-types",
        EventRoutes.types,
        "listEventTypes",
        "List the types of events, each with a JSON Schema and an example",
        {200: ("All types.", (EventTypePage,)), **KEYED},
    ),
    Route(
        "GET",
        "/api/event-consumers",
        EventRoutes.consumers,
        "listConsumers",
        "List the project's consumers of events",
        {200: ("All consumers.", (ConsumerPage,)), **KEYED},
    ),
    Route(
        "DELETE",
        "/api/event-consumers/{name}",
        EventRoutes.delete_consumer,
        "deleteConsumer",
        "Delete a consumer and its position",
        {200: ("Deleted.", (ConsumerDeleted,)), 400: BAD, 404: _UNKNOWN_CONSUMER, **KEYED},
        (path("name", _NAME),),
    ),
    Route(
        "POST",
        "/api/event-samples",
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
    ),
)
