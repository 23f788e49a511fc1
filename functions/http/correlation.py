"""The correlation id of a request: every log line of its submission carries it, from request to webhook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.http.http_event import HttpEvent

_CORRELATION_ID = re.compile(r"[0-9A-Za-z._~:=+/-]{1,128}", re.ASCII)


def correlation_id(event: HttpEvent) -> str:
    """Return the client's X-Request-Id, or the gateway's id of the request if there is none or it is malformed."""
    given = event.headers.get("x-request-id") or ""
    return given if _CORRELATION_ID.fullmatch(given) else event.request_context.request_id
