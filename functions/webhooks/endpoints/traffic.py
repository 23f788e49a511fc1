"""Attempts at an endpoint and how many of them failed: counters of this hour and this day, and of those before.

The last 60 minutes are this hour and the share of the hour before that they reach into, as if its attempts were spread
evenly. So eight numbers give two rates, however many attempts there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
