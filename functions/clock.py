"""Epoch milliseconds inside the service, RFC 3339 UTC with `Z` in its answers.

Stores and handlers take a `Clock`, so that tests set the time.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], int]
"""Returns the current time in milliseconds since the epoch."""

MS_PER_SEC = 1000


def now_ms() -> int:
    """Return milliseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1_000_000


def to_rfc3339(ms: int) -> str:
    """Format a time: `1795694400012` becomes `2026-11-24T12:00:00.012Z`."""
    whole = datetime.fromtimestamp(ms // MS_PER_SEC, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ms % MS_PER_SEC:03d}Z"


def from_rfc3339(text: str) -> int:
    """Return milliseconds since the epoch, rounded down. Raises ValueError for a text without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset from UTC")
    whole_secs = int(moment.replace(microsecond=0).timestamp())
    return whole_secs * MS_PER_SEC + moment.microsecond // 1000
