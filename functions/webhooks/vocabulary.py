"""Words that all parts of webhooks share: types of events, the result of a send, counted sends, the retry schedule."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

CURRENT_VERSION = "2026-11-27"
"""An endpoint keeps the version with which it was created."""
API_VERSIONS = (CURRENT_VERSION,)

EVENT_COMPLETED: Final = "submission.completed"
EVENT_JUDGED: Final = "judge.completed"
EVENT_DISABLED = "endpoint.disabled"
EVENT_DEGRADED = "endpoint.degraded"
EVENT_RECOVERED = "endpoint.recovered"
EVENT_EXHAUSTED = "delivery.exhausted"
EVENT_BLOCKED = "delivery.blocked"
"""Deliveries of which nothing was sent: a transform failed, or the target cannot be sent to."""
ALERT_EVENTS = frozenset({EVENT_DISABLED, EVENT_DEGRADED, EVENT_RECOVERED, EVENT_EXHAUSTED, EVENT_BLOCKED})
"""Sent to the project's other endpoints. A failed delivery of an alert raises no alert: it counts in no rate."""
EVENT_TEST = "webhook.test"
"""Sent on request only; event filters do not apply."""
EVENT_REPORT: Final = "check.report"
"""The report of a run to another service. Only its one delivery has it, no endpoint and no bus; lists leave it out."""
EVENT_CHECK_CHANGED = "check.state.changed"
EVENT_CHECK_RUN = "check.run.completed"
EVENT_CHECK_MISSED = "check.run.missed"
EVENT_CHANGED: Final = "project.changed"
"""A request has changed something of the project. It is not put on the bus."""
FILTERABLE_EVENTS = (
    *(EVENT_COMPLETED, EVENT_JUDGED),
    *(EVENT_EXHAUSTED, EVENT_BLOCKED, EVENT_DEGRADED, EVENT_DISABLED, EVENT_RECOVERED),
    *(EVENT_CHECK_CHANGED, EVENT_CHECK_RUN, EVENT_CHECK_MISSED, EVENT_CHANGED),
)
NAMED_ONLY_EVENTS = frozenset({EVENT_CHECK_RUN, EVENT_CHECK_MISSED, EVENT_CHANGED, EVENT_BLOCKED})
"""Events of every run of a check, of changes, and of blocked deliveries: only for endpoints whose filter names them."""
INCIDENT_EVENTS = ALERT_EVENTS - {EVENT_BLOCKED} | {EVENT_CHECK_CHANGED}
"""Events that open or end an incident. A service for incidents gets only these."""
DOWN_STATES = ("failing", "late", "error")
"""States of a check in an outage."""
SUBMISSION_EVENTS = frozenset({EVENT_COMPLETED, EVENT_JUDGED})
"""Events of the end of a submission: each can be made again from its row."""


MAX_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """Result of one send: a status code, or an error code if there was no response."""

    latency_ms: int
    status_code: int | None = None
    error_code: str | None = None
    retry_after: str | None = None
    head: bytes = field(default=b"", repr=False)
    address: str | None = None
    host: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_gone(self) -> bool:
        """Whether the receiver asks for no more requests (410)."""
        return self.status_code == HTTPStatus.GONE


# Attempts at an endpoint and how many of them failed: counters of this hour and this day, and of those before.
#
# The last 60 minutes are this hour and the share of the hour before that they reach into, as if its attempts were
# spread evenly. So eight numbers give two rates, however many attempts there are.

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
NEVER = -1


@dataclass(frozen=True, slots=True)
class Rate:
    """An estimate of the attempts in a window, and of the failed ones among them."""

    attempts: float = 0
    failures: float = 0

    @property
    def failed_share(self) -> float:
        """Share of the attempts that failed, from 0 to 1."""
        return min(self.failures / self.attempts, 1) if self.attempts else 0


@dataclass(frozen=True, slots=True)
class Counter:
    """Attempts in one period and in the one before. `period`: periods since 1970; NEVER: nothing was counted yet."""

    period: int = NEVER
    attempts: int = 0
    failures: int = 0
    attempts_before: int = 0
    failures_before: int = 0

    def at(self, period: int) -> "Counter":
        """Return the counter as it stands in a later period. A clock that is behind changes nothing."""
        if period <= self.period:
            return self
        if period == self.period + 1:
            return Counter(period, 0, 0, self.attempts, self.failures)
        return Counter(period)

    def rate(self, now_ms: int, period_ms: int) -> Rate:
        """Estimate the attempts of the last `period_ms`."""
        now = self.at(now_ms // period_ms)
        left = 1 - now_ms % period_ms / period_ms
        return Rate(now.attempts + left * now.attempts_before, now.failures + left * now.failures_before)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Both counters of an endpoint."""

    hour: Counter = field(default_factory=Counter)
    day: Counter = field(default_factory=Counter)

    def last_hour(self, now_ms: int) -> Rate:
        return self.hour.rate(now_ms, HOUR_MS)

    def last_day(self, now_ms: int) -> Rate:
        return self.day.rate(now_ms, DAY_MS)

    def at(self, now_ms: int) -> "Traffic":
        return Traffic(self.hour.at(now_ms // HOUR_MS), self.day.at(now_ms // DAY_MS))
