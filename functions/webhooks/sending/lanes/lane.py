"""Lanes. A lane is the queue of deliveries to one target: an endpoint, or one host for runs with their own URL.

Deliveries without a free send slot wait in their lane, oldest first. Each lane has a circuit breaker. It opens after
FAILURES_TO_OPEN sends without a response. Then one probe at a time is sent, until one gets a response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.webhooks.deliveries.model import NOT_SENT, RUN_ENDPOINT_ID, UNSENDABLE_CODES
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY

if TYPE_CHECKING:
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.vocabulary.reply import Reply

FAILURES_TO_OPEN = 3
FIRST_PROBE_MS = 15_000
"""Pause before the first probe. Later pauses are half of the time since the first failure."""
LONGEST_PROBE_MS = 300_000
FRESH_MS = 10_000
"""A waiting mark older than this is renewed."""
STALE_MS = 60_000
"""A waiting mark older than this is cleared if nothing waits. An invocation is shorter than STALE_MS - FRESH_MS, so a
delivery that was parked while the mark was fresh is never lost."""


SLOW_GUARD_MS = 86_400_000
"""A lane is guarded for this long after an unguarded send without an answer in a second.

Such a send ends after three seconds, so a receiver that is always slow gets one event a day twice.
"""
FAILED_GUARD_MS = 600_000
"""A lane of runs' own URLs is guarded for this long after a failed send: its owner may not want any."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a project. `most`: limit of concurrent sends. `waiting_ms`: last time a delivery was parked, or None.

    `failures`: sends without a response since the last response, at least. `failing_since_ms`: time of the first.
    `is_ordered`: of an ordered endpoint. `current`: the event of its delivery that was begun last.
    `guarded_until_ms`: until then each send needs a lease and a slot, because one was slow or failed.
    """

    project_id: str
    name: str
    host: str
    most: int = DEFAULT_CONCURRENCY
    waiting_ms: int | None = None
    failures: int = 0
    failing_since_ms: int = 0
    probe_at_ms: int = 0
    is_ordered: bool = False
    current: str | None = None
    guarded_until_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker is open."""
        return self.failures >= FAILURES_TO_OPEN

    @property
    def limit(self) -> int:
        """Limit of concurrent sends now: one probe while the circuit breaker is open."""
        return 1 if self.is_open else self.most

    @property
    def ref(self) -> str:
        """Its name among all projects, and partition key of the `waiting` index."""
        return f"{self.project_id}#{self.name}"

    def is_marked(self, now_ms: int) -> bool:
        """Whether the waiting mark is fresh."""
        return self.waiting_ms is not None and now_ms - self.waiting_ms < FRESH_MS

    def next_probe_ms(self, now_ms: int) -> int:
        """Return the time of the next probe after a send that failed now."""
        failing_ms = now_ms - self.failing_since_ms if self.failures else 0
        return now_ms + min(max(FIRST_PROBE_MS, failing_ms // 2), LONGEST_PROBE_MS)


def lane_name(delivery: Delivery, host: str) -> str:
    """Return the name of a delivery's lane within its project."""
    return delivery.endpoint_id if delivery.endpoint_id != RUN_ENDPOINT_ID else run_lane_name(host)


def run_lane_name(host: str) -> str:
    """Return the name of the lane of runs that send to `host`."""
    return f"{RUN_ENDPOINT_ID}#{host}"


def max_concurrent_sends(endpoint: Endpoint | None) -> int:
    """Return the limit of concurrent sends of a lane. With a rate limit, each slot starts one send per second."""
    if endpoint is None:
        return DEFAULT_CONCURRENCY
    return 1 if endpoint.ordered else min(endpoint.max_concurrency, endpoint.max_per_second or endpoint.max_concurrency)


def is_unanswered(reply: Reply) -> bool:
    """Whether a send got no response: timeout, refused or reset connection, TLS or DNS failure."""
    return reply.error_code is not None and reply.error_code not in UNSENDABLE_CODES | {NOT_SENT}
