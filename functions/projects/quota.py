"""Quotas of a project: runs per minute, per day and in flight, separately for each profile.

Windows are fixed: the minutes and the days (UTC) since the epoch. `quota_store` reads and writes them.
A large quota is spread over shards: each is an item of its own, with a share of every limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

from events.vocabulary import Profile
from functions.clock import MS_PER_SEC

MINUTE_MS = 60_000
DAY_MS = 86_400_000
SKEW_MAX_MS = 60_000
"""The largest accepted difference between the clocks of two machines."""
MAX_IN_FLIGHT = 3_000
"""Maximum of `Quota.in_flight`: each run takes up to 115 bytes, and a quota with few runs a minute is one item."""
SHARD_RUNS = 30
"""Runs in flight of one shard: its item then has at most 2 KiB, or 4 KiB with idempotency keys."""
_SHARD_PER_MINUTE = 10_000
"""Runs a minute of one shard: DynamoDB writes an item about 1,000 times a second, and a run needs three such writes."""
_SHARD_IN_FLIGHT_MIN, _SHARD_WINDOW_MIN = 10, 100
"""The least limits of one shard. With smaller ones a shard would often refuse a run that others could take."""
IN_FLIGHT_RETRY_SECS = 1


@dataclass(frozen=True, slots=True)
class Quota:
    """The most submissions in a minute and in a day (UTC), and the most runs in flight."""

    per_minute: int
    per_day: int
    in_flight: int

    @property
    def shards(self) -> int:
        """The number of items that count the runs of this quota."""
        by_rate = min(ceil(self.per_minute / _SHARD_PER_MINUTE), self.in_flight // _SHARD_IN_FLIGHT_MIN)
        wanted = max(ceil(self.in_flight / SHARD_RUNS), by_rate)
        return max(1, min(wanted, min(self.per_minute, self.per_day) // _SHARD_WINDOW_MIN))

    def share(self, shard: int) -> Quota:
        """Return the limits of one shard. Those of all shards add up to the quota."""
        return Quota(
            *(
                limit * (shard + 1) // self.shards - limit * shard // self.shards
                for limit in (self.per_minute, self.per_day, self.in_flight)
            )
        )


DEFAULT_QUOTAS = {Profile.JUDGE.value: Quota(60, 1_000, 10), Profile.AGENT.value: Quota(60, 20_000, 8)}
"""docs/contract.md, section 5."""


class Limit(StrEnum):
    """The three limits of a quota."""

    PER_MINUTE = "per_minute"
    PER_DAY = "per_day"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True)
class Window:
    """The `number`-th window of its length since the epoch, and its count of submissions."""

    length_ms: int
    number: int
    count: int

    def at(self, now_ms: int) -> Window:
        """Return the current window at a time: this one, or the next with a count of 0."""
        # A window up to SKEW_MAX_MS ahead stays: the clock of this machine is slow, and two machines that move the
        # window to and fro would reset its count. A window further ahead comes from a wrong clock: we move it back,
        # and it keeps its count.
        number = now_ms // self.length_ms
        if number > self.number:
            return replace(self, number=number, count=0)
        if self.number * self.length_ms - now_ms > SKEW_MAX_MS:
            return replace(self, number=number)
        return self

    def reset_secs(self, now_ms: int) -> int:
        """Return the whole seconds until the window ends, at least 1."""
        return max(1, -(-((self.number + 1) * self.length_ms - now_ms) // MS_PER_SEC))

    def with_more(self, units: int) -> Window:
        """Return it with more submissions."""
        return replace(self, count=self.count + units)


@dataclass(frozen=True, slots=True)
class Usage:
    """The used part of one quota."""

    minute: Window = Window(MINUTE_MS, 0, 0)
    day: Window = Window(DAY_MS, 0, 0)
    in_flight: int = 0

    def at(self, now_ms: int) -> Usage:
        """Return the usage with the current windows at a time."""
        return replace(self, minute=self.minute.at(now_ms), day=self.day.at(now_ms))

    def with_one_more(self, day_units: int = 1) -> Usage:
        """Return it with one more submission, which counts as `day_units` in the day."""
        return Usage(self.minute.with_more(1), self.day.with_more(day_units), self.in_flight + 1)

    def times(self, shards: int) -> Usage:
        """Return the usage of that many shards that are used like this one."""
        return Usage(
            replace(self.minute, count=self.minute.count * shards),
            replace(self.day, count=self.day.count * shards),
            self.in_flight * shards,
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """One limit as a client sees it: `remaining` of `limit`, reset in `reset_secs`."""

    limit: int
    remaining: int
    reset_secs: int

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit headers of the HTTP contract."""
        return {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset_secs),
        }


def tightest_rate(usage: Usage, quota: Quota, now_ms: int) -> Rate:
    """Return the window with the smallest remainder; the day if both are equal."""
    usage = usage.at(now_ms)
    day = _rate(usage.day, quota.per_day, now_ms)
    minute = _rate(usage.minute, quota.per_minute, now_ms)
    return minute if minute.remaining < day.remaining else day


@dataclass(frozen=True, slots=True)
class Refusal:
    """The exceeded limit and its RateLimit headers."""

    limit: Limit
    rate: Rate

    def of(self, quota: Quota) -> Refusal:
        """Return the refusal of a shard as that of its whole quota."""
        return replace(self, rate=replace(self.rate, limit=getattr(quota, self.limit)))

    def message(self, profile: str) -> str:
        """Return the error message for the caller."""
        secs = self.rate.reset_secs
        again = f"Repeat the request in {secs} second{'s' if secs != 1 else ''}."
        if self.limit is Limit.IN_FLIGHT:
            return f"The quota of the {profile} profile is {self.rate.limit} unfinished runs at a time. {again}"
        window = "minute" if self.limit is Limit.PER_MINUTE else "day"
        return f"The quota of the {profile} profile is {self.rate.limit} runs per {window}, and it is used up. {again}"


def find_refusal(usage: Usage, quota: Quota, now_ms: int, day_units: int = 1) -> Refusal | None:
    """Return the exceeded limit that lasts longest; None if one more submission is allowed."""
    usage = usage.at(now_ms)
    if usage.day.count + day_units > quota.per_day:
        return Refusal(Limit.PER_DAY, _rate(usage.day, quota.per_day, now_ms))
    if usage.minute.count >= quota.per_minute:
        return Refusal(Limit.PER_MINUTE, _rate(usage.minute, quota.per_minute, now_ms))
    if usage.in_flight >= quota.in_flight:
        return Refusal(Limit.IN_FLIGHT, Rate(quota.in_flight, 0, IN_FLIGHT_RETRY_SECS))
    return None


def _rate(window: Window, limit: int, now_ms: int) -> Rate:
    return Rate(limit, max(0, limit - window.count), window.reset_secs(now_ms))
