"""Authenticate a request by its API key, before anything reads the body."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from functions.errors import UnauthorizedError
from functions.projects.rate_limit_headers import rates

if TYPE_CHECKING:
    from functions.http.http_event import HttpEvent
    from functions.projects.model import Project
    from functions.projects.quota import Quota, Usage
    from functions.projects.store import ProjectStore


def authenticate(event: HttpEvent, projects: ProjectStore) -> Project:
    """Return the project of the X-API-Key header. Raises UnauthorizedError with the same text for every reason."""
    project = projects.find_key(event.headers.get("x-api-key") or "")
    if project is None:
        raise UnauthorizedError("A valid API key is needed in the X-API-Key header.")
    event.rate_limit_headers = lambda: rates().headers(project)
    return project


def note_usage(event: HttpEvent, usage: Usage, quota: Quota) -> None:
    """Take the RateLimit headers of this request's answer from the charged quota."""
    event.rate_limit_headers = functools.partial(rates().headers_of, usage, quota)
