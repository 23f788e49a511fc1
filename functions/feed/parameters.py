"""Query parameters of events. All functions raise BadRequestError."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.errors import BadRequestError
from functions.event_log.model import Reason
from functions.feed.model import EventFilters, PollRequest
from functions.http.cursor import read_cursor
from functions.http.parameters import LONG_POLL_MAX_SECS, page_limit, since_ms, uuid, wait_secs
from functions.webhooks.vocabulary import EVENT_TEST, FILTERABLE_EVENTS

if TYPE_CHECKING:
    from functions.http.parameters import Parameters

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
