"""The client's trace (https://www.w3.org/TR/trace-context/): its `traceparent` comes back with the run's webhooks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.http.http_event import HttpEvent

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def traceparent(event: HttpEvent) -> str | None:
    """Return the header if it is well-formed. The standard ignores any other."""
    given = event.headers.get("traceparent") or ""
    return given if TRACEPARENT.fullmatch(given) else None
