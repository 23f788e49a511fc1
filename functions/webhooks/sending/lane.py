"""A lane leads from a project to one target: a webhook endpoint, or a host to which runs send with URLs of their own.

Deliveries that find no free slot wait in their lane, oldest first. A circuit breaker guards each lane: after
FAILURES_TO_OPEN sends without any answer it opens, and one probe at a time is sent until one is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from functions.webhooks.deliveries.model import NOT_SENT, RUN_ENDPOINT_ID, UNSENDABLE_CODES
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY

if TYPE_CHECKING:
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.reply import Reply

FAILURES_TO_OPEN = 3
FIRST_PROBE_MS = 15_000
"""Pause before the first probe. Later pauses are half of the time that the target has been failing."""
LONGEST_PROBE_MS = 300_000
FRESH_MS = 10_000
"""A waiting mark is renewed when it is older than this."""
STALE_MS = 60_000
"""A waiting mark is cleared only when it is older than this and nothing waits. Between FRESH_MS and STALE_MS lie more
seconds than an invocation lasts, so a delivery that was parked on a fresh mark is never forgotten."""
_MAX_HOST_CHARS = 255


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane. `most`: concurrent sends. `waiting_ms`: when a delivery was last noted to wait, None: none waits.

    `failures`: sends without an answer since the last answer, at least; `failing_since_ms`: time of the first one.
    """

    project_id: str
    name: str
    host: str
    most: int = DEFAULT_CONCURRENCY
    waiting_ms: int | None = None
    failures: int = 0
    failing_since_ms: int = 0
    probe_at_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker is open."""
        return self.failures >= FAILURES_TO_OPEN

    @property
    def ref(self) -> str:
        """Partition of the `waiting` index."""
        return f"{self.project_id}#{self.name}"

    def is_marked(self, now_ms: int) -> bool:
        """Whether the waiting mark is fresh."""
        return self.waiting_ms is not None and now_ms - self.waiting_ms < FRESH_MS

    def next_probe_ms(self, now_ms: int) -> int:
        """Time of the next probe after a send that failed now."""
        failing_ms = now_ms - self.failing_since_ms if self.failures else 0
        return now_ms + min(max(FIRST_PROBE_MS, failing_ms // 2), LONGEST_PROBE_MS)


def lane_name(delivery: Delivery, host: str) -> str:
    """Name the lane of a delivery within its project."""
    return delivery.endpoint_id if delivery.endpoint_id != RUN_ENDPOINT_ID else run_lane_name(host)


def run_lane_name(host: str) -> str:
    """Name the lane of runs that send to `host`."""
    return f"{RUN_ENDPOINT_ID}#{host}"


def host_of(url: str) -> str:
    """Host of a URL without its port, in lower case; "" when the URL has none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.rstrip(".")[:_MAX_HOST_CHARS]


def max_concurrent_sends(endpoint: Endpoint | None) -> int:
    """Concurrent sends that a lane may have. Each slot starts at most one send a second when a rate is set."""
    if endpoint is None:
        return DEFAULT_CONCURRENCY
    return min(endpoint.max_concurrency, endpoint.max_per_second or endpoint.max_concurrency)


def is_unanswered(reply: Reply) -> bool:
    """Whether the target took a send and gave no answer: timeout, refusal, reset, TLS or DNS failure."""
    return reply.error_code is not None and reply.error_code not in UNSENDABLE_CODES | {NOT_SENT}
