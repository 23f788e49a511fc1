"""Attempts at an endpoint and how many of them failed: counters of this hour and this day, and of those before.

The last 60 minutes are this hour and the share of the hour before that they reach into, as if its attempts were spread
evenly. So eight numbers give two rates, however many attempts there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from functions.clock import from_rfc3339

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint


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

    def at(self, period: int) -> Counter:
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
        """Estimate the attempts of the last 60 minutes."""
        return self.hour.rate(now_ms, HOUR_MS)

    def last_day(self, now_ms: int) -> Rate:
        """Estimate the attempts of the last 24 hours."""
        return self.day.rate(now_ms, DAY_MS)

    def at(self, now_ms: int) -> Traffic:
        """Return both counters as they stand now."""
        return Traffic(self.hour.at(now_ms // HOUR_MS), self.day.at(now_ms // DAY_MS))


# The rule that degrades an endpoint that answers only sometimes, and that of its recovery. No clock, no table.
#
# The last hour decides if it has enough attempts; otherwise the last day does. Between DEGRADED_FROM and RECOVERED_TO
# an endpoint keeps its state, so that a rate near one bound does not change it again and again.

ENOUGH_ATTEMPTS = 10
DEGRADED_FROM = 0.25
"""Share of failed attempts that degrades an endpoint."""
RECOVERED_TO = 0.05
"""Share of failed attempts at which it has recovered."""
LEAST_DEGRADED_MS = 600_000
"""An endpoint stays degraded for this long, so that its alerts are few."""


def is_degraded(endpoint: Endpoint, now_ms: int) -> bool:
    """Whether an enabled endpoint is degraded from now on."""
    if endpoint.is_failing_long(now_ms):
        return True
    _, rate = deciding_rate(endpoint, now_ms)
    if endpoint.degraded_at is None:
        return rate.attempts >= ENOUGH_ATTEMPTS and rate.failed_share >= DEGRADED_FROM
    if endpoint.failing is not None or now_ms - from_rfc3339(endpoint.degraded_at) < LEAST_DEGRADED_MS:
        return True
    if rate.attempts >= ENOUGH_ATTEMPTS:
        return rate.failed_share > RECOVERED_TO
    return round(rate.failures) > 0  # few attempts in a day: none of them may have failed


def deciding_rate(endpoint: Endpoint, now_ms: int) -> tuple[Literal["hour", "day"], Rate]:
    """Return the window that decides, and its rate."""
    hour = endpoint.traffic.last_hour(now_ms)
    return ("hour", hour) if hour.attempts >= ENOUGH_ATTEMPTS else ("day", endpoint.traffic.last_day(now_ms))
