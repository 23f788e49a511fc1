"""The routes of events and their consumers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.aws.dynamodb.transaction import RowsContendedError
from functions.errors import BadRequestError, ConflictError, NotFoundError, UnavailableError
from functions.event_log.model import MAX_CONSUMERS, Reason
from functions.feed.model import EventFilters, PollRequest
from functions.feed.views import (
    ConsumerDeleted,
    ConsumerPage,
    EventPage,
    EventTypePage,
    EventView,
    PolledEvents,
    consumer_body,
    event_body,
    polled_body,
)
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, NO_RESPONSE, PAGE, TAKES_BODY, Answer, path, query
from functions.http.parameters import (
    LONG_POLL_MAX_SECS,
    page_limit,
    read_cursor,
    since_ms,
    start_after,
    uuid,
    wait_secs,
)
from functions.http.resolver import Route
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate
from functions.webhooks.vocabulary import EVENT_COMPLETED, EVENT_TEST, FILTERABLE_EVENTS

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.feed.deployment import EventDeployment
    from functions.http.parameters import Parameters
    from functions.http.resolver import Resolver


# The request of a sample event.


class SampleRequest(BaseModel):
    """Body of POST /api/event-samples."""

    model_config = ConfigDict(frozen=True)

    type: Literal[(*FILTERABLE_EVENTS, EVENT_TEST)] = Field(description="Type of the sample.")  # type: ignore[valid-type]


# Query parameters of events. All functions raise BadRequestError.

EVENT_TYPES = (*FILTERABLE_EVENTS, EVENT_TEST)
LIST_KEY = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"
    r"#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|run))?",
    re.ASCII,
)
"""Content of a cursor of the list."""
_POSITION = re.compile(r"[0-9]{1,15}", re.ASCII)
_CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_INCLUDED = {"replays": Reason.REPLAY, "tests": Reason.TEST}


def event_filters(parameters: Parameters) -> EventFilters:
    """Read the filters and the order of the list."""
    delivered, order, run = (
        parameters.get("delivered"),
        parameters.get("order", "desc"),
        parameters.get("submission_id"),
    )
    if delivered not in {None, "false"}:
        raise BadRequestError("delivered must be false, or be left out.")
    if order not in {"asc", "desc"}:
        raise BadRequestError("order must be desc (newest first) or asc (oldest first).")
    return EventFilters(
        types=event_types(parameters),
        since_ms=since_ms(parameters),
        submission_id=None if run is None else uuid(run),
        is_undelivered=delivered is not None,
        ascending=order == "asc",
    )


def poll_request(parameters: Parameters, project_id: str) -> PollRequest:
    """Read the parameters of a poll."""
    start = parameters.get("from", "latest")
    if start not in {"latest", "earliest"}:
        raise BadRequestError("from must be latest or earliest.")
    words = _words(parameters.get("include"))
    if not words <= _INCLUDED.keys():
        raise BadRequestError("include must be replays, tests, or both with a comma between them.")
    position = int(read_cursor(project_id, parameters["cursor"], _POSITION)) if "cursor" in parameters else None
    return PollRequest(
        consumer=consumer_name(parameters.get("consumer", "")),
        position=position,
        from_start=start == "earliest",
        limit=page_limit(parameters),
        types=event_types(parameters),
        reasons=frozenset(_INCLUDED[word] for word in words),
        wait_secs=wait_secs(parameters, LONG_POLL_MAX_SECS),
    )


def consumer_name(text: str) -> str:
    """Return the name of a consumer."""
    if not _CONSUMER.fullmatch(text):
        raise BadRequestError(
            "consumer must have 1 to 64 letters, digits, dots, hyphens or underscores, with a letter or digit first."
        )
    return text


def event_types(parameters: Parameters) -> frozenset[str] | None:
    """Read `type`: names of events with commas between them."""
    types = _words(parameters.get("type"))
    if not types <= set(EVENT_TYPES):
        raise BadRequestError(f"type must be one of {', '.join(EVENT_TYPES)}, or several with commas between them.")
    return types or None


def _words(text: str | None) -> frozenset[str]:
    return frozenset(word.strip() for word in (text or "").split(",") if word.strip())


# Routes of /api/events, /api/event-types, /api/event-consumers and /api/event-samples.

NO_SUCH_EVENT = "There is no such event."
_NO_SUCH_CONSUMER = "There is no such consumer."
_BUSY = "Other requests keep changing this project's event log. Repeat the request."
_NO_CONSUMER = "A sample goes to consumers, and this project has none. Start `rustbox listen`, or poll, then repeat."


@dataclass(frozen=True, slots=True)
class EventRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: EventDeployment

    def page(self, app: Resolver) -> Response[str]:
        """List the project's events with their bodies."""
        query = app.current_event.query_string_parameters
        project_id = self._project(app)
        limit, filters = page_limit(query), event_filters(query)
        after = start_after(query, project_id, LIST_KEY)
        page = self.deployment.event_listing.page(project_id, filters, limit, after)
        return page_answer(project_id, page, lambda listed: event_body(listed.event), lambda listed: listed.key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show one event."""
        event = self.deployment.event_listing.one(self._project(app), uuid(id_text))
        if event is None:
            raise NotFoundError(NO_SUCH_EVENT)
        return answer(event_body(event))

    def poll(self, app: Resolver) -> Response[str]:
        """Commit a cursor, and return the events that follow it."""
        project_id = self._project(app)
        request = poll_request(app.current_event.query_string_parameters, project_id)
        try:
            polls = replace(self.deployment.polls, secs_left=app.secs_left)
            polled = polls.poll(project_id, request)
        except RowsContendedError:
            raise UnavailableError(_BUSY, 1) from None
        return answer(polled_body(project_id, polled))

    def consumers(self, app: Resolver) -> Response[str]:
        """List the project's consumers."""
        project_id = self._project(app)
        last = self.deployment.event_log.head(project_id).last
        found = self.deployment.consumers.list_all(project_id)
        return answer({"items": [consumer_body(project_id, one, last) for one in found], "next_cursor": None})

    def delete_consumer(self, app: Resolver, name: str) -> Response[str]:
        """Delete a consumer."""
        project_id = self._project(app)
        try:
            is_deleted = self.deployment.consumers.delete(project_id, consumer_name(name))
        except RowsContendedError:
            raise UnavailableError(_BUSY, 1) from None
        if not is_deleted:
            raise NotFoundError(_NO_SUCH_CONSUMER)
        return answer({"name": name, "deleted": True})

    def types(self, app: Resolver) -> Response[str]:
        """List the types of events."""
        from functions.feed.catalogue import catalogue  # noqa: PLC0415 - imports every model; few requests need it

        self._project(app)
        return answer({"items": list(catalogue()), "next_cursor": None})

    def sample(self, app: Resolver) -> Response[str]:
        """Add a sample event to the log."""
        from functions.feed.catalogue import sample_event  # noqa: PLC0415 - same

        project_id = self._project(app)
        request = parse_body(SampleRequest, json_body(app.current_event))
        event = sample_event(project_id, request, self.deployment.clock())
        if not self.deployment.log_writer.add_test(event):
            raise ConflictError(_NO_CONSUMER)
        return answer(event_body(event))

    def _project(self, app: Resolver) -> str:
        return authenticate(app.current_event, self.deployment).project_id


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
