"""Authenticate a request by its API key, before anything reads the body."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from functions.errors import UnauthorizedError
from functions.http.parameters import refuse_misspelt
from functions.projects.rate_limit_headers import rates
from functions.projects.store import KeyProblem

_REASONS = {
    KeyProblem.MISSING: "The X-API-Key header is missing. Send your API key in it.",
    KeyProblem.UNKNOWN: "This API key is unknown. Check that the X-API-Key header has the whole key.",
    KeyProblem.REVOKED: "This API key was revoked. Use another key of the project.",
    KeyProblem.EXPIRED: "This API key has expired. Use another key of the project.",
    KeyProblem.DISABLED: "The project of this API key is disabled. Ask the administrator of this service.",
}

if TYPE_CHECKING:
    from functions.http.http_event import HttpEvent
    from functions.projects.model import Project
    from functions.projects.quota import Quota, Usage
    from functions.projects.store import ProjectStore


def authenticate(event: HttpEvent, projects: ProjectStore) -> Project:
    """Return the project of the X-API-Key header.

    Raises UnauthorizedError. Only a client with a whole key that was valid once gets the reason why it no longer is.
    Raises BadRequestError for a misspelt query parameter: its answer has the RateLimit headers of the project too.
    """
    return authenticate_key(event, projects, event.headers.get("x-api-key") or "")


def authenticate_key(event: HttpEvent, projects: ProjectStore, key: str) -> Project:
    """Like `authenticate`, with the key of another header."""
    project = projects.find_key(key)
    if isinstance(project, KeyProblem):
        raise UnauthorizedError(_REASONS[project])
    event.rate_limit_headers = lambda: rates().headers(project)
    refuse_misspelt(event.query_string_parameters, event.known_parameters)
    return project


def note_usage(event: HttpEvent, usage: Usage, quota: Quota) -> None:
    """Take the RateLimit headers of this request's answer from the charged quota."""
    event.rate_limit_headers = functools.partial(rates().headers_of, usage, quota)
