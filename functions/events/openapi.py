"""Operations of events."""

from typing import Any

from functions.events import openapi_bodies as bodies
from functions.events.model import MAX_CONSUMERS
from functions.events.parameters import EVENT_TYPES
from functions.events.requests import SampleRequest
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import (
    BAD,
    ID,
    KEYED,
    NO_RESPONSE,
    PAGE,
    TAKES_BODY,
    Answer,
    Operation,
    path,
    query,
)
from functions.http.parameters import LONG_POLL_MAX_SECS
from functions.webhooks.event_types import EVENT_COMPLETED

_TYPES = query(
    "type",
    {"type": "array", "items": {"enum": list(EVENT_TYPES)}},
    "Only events of these types.",
) | {"style": "form", "explode": False}
_NAME: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
_UNKNOWN: Answer = ("`not_found`: the project has no such event.", (Error,))
_UNKNOWN_CONSUMER: Answer = ("`not_found`: the project has no such consumer.", (Error,))

EVENT_OPERATIONS = (
    Operation(
        "/api/events",
        "GET",
        "listEvents",
        "List the project's events with their bodies",
        {200: ("One page.", (bodies.EventPage,)), 400: BAD, **KEYED},
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
    Operation(
        "/api/events/poll",
        "GET",
        "pollEvents",
        "Commit a cursor, and get the events that follow it",
        {
            200: ("Events in the order of the log; none after the wait.", (bodies.PolledEvents,)),
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
    ),
    Operation(
        "/api/events/{id}",
        "GET",
        "getEvent",
        "Show an event with its body",
        {200: ("The event.", (bodies.EventView,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (ID,),
    ),
    Operation(
        "/api/event-types",
        "GET",
        "listEventTypes",
        "List the types of events, each with a JSON Schema and an example",
        {200: ("All types.", (bodies.EventTypePage,)), **KEYED},
    ),
    Operation(
        "/api/event-consumers",
        "GET",
        "listConsumers",
        "List the project's consumers of events",
        {200: ("All consumers.", (bodies.ConsumerPage,)), **KEYED},
    ),
    Operation(
        "/api/event-consumers/{name}",
        "DELETE",
        "deleteConsumer",
        "Delete a consumer and its position",
        {200: ("Deleted.", (bodies.ConsumerDeleted,)), 400: BAD, 404: _UNKNOWN_CONSUMER, **KEYED},
        (path("name", _NAME),),
    ),
    Operation(
        "/api/event-samples",
        "POST",
        "sendSample",
        "Send a sample event to the consumers that include tests",
        {
            200: ("The sample.", (bodies.EventView,)),
            400: ("`bad_request`: broken JSON.", (Error,)),
            409: ("`conflict`: the project has no consumer.", (Error,)),
            **TAKES_BODY,
        },
        request=SampleRequest,
        examples={"a finished run": {"value": {"type": EVENT_COMPLETED}}},
    ),
)
