"""Find the project of a request's API key, which clients of other services send in headers of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.errors import UnauthorizedError
from functions.http.authorization import key_of
from functions.projects.authentication import authenticate_key

if TYPE_CHECKING:
    from functions.http.http_event import HttpEvent
    from functions.projects.model import Project
    from functions.projects.store import ProjectStore


def project_of(event: HttpEvent, projects: ProjectStore, key_header: str) -> Project:
    """Return the project of the only key in the headers of a request. Raises UnauthorizedError."""
    keys = _sent_keys(event, key_header)
    if not keys:
        raise UnauthorizedError(f"Send your API key in the header {key_header}, X-API-Key or Authorization: Bearer.")
    if len(keys) > 1:
        raise UnauthorizedError("The headers have two different API keys. Send one.")
    return authenticate_key(event, projects, keys.pop())


def _sent_keys(event: HttpEvent, key_header: str) -> set[str]:
    authorization = event.headers.get("authorization") or ""
    keys = {event.headers.get("x-api-key") or "", key_of(authorization)}
    if key_header != "authorization" or " " not in authorization:  # there a key stands alone
        keys.add(event.headers.get(key_header) or "")
    return keys - {""}
