"""When a check runs: `cron(...)`, plain five-field cron, or `rate(...)`, in a time zone.

Daylight saving is that of EventBridge Scheduler: a local time that does not exist is skipped, and a local time that
exists twice is run once, at its first occurrence. A rate counts real time, so no change of the clock affects it.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from functions.checks.schedule.cron import EXAMPLE, Cron, ScheduleInvalidError, parse_cron
from functions.clock import MS_PER_SEC

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Schedule", "ScheduleInvalidError", "in_zone", "parse_schedule", "spread_ms"]

_UTC = timezone.utc  # noqa: UP017 - the command line has a copy of this module, and runs on Python 3.10 too
MINUTE_MS = 60_000
DAILY_SPREAD_MINUTES = 10
"""The default spread of checks that run daily or less often."""
_ALMOST_A_DAY_MS = 23 * 60 * MINUTE_MS  # the day of the change to summer time has 23 hours
_UNIT_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_MOST_MINUTES = 366 * 1440
_RATE = re.compile(r"rate\(\s*([0-9]{1,6})\s+(minute|hour|day)s?\s*\)")
_CRON = re.compile(r"cron\((.*)\)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression with its zone, or a rate in minutes."""

    cron: Cron | None
    zone: ZoneInfo
    rate_minutes: int = 0

    def times_after(self, ms: int, anchor_ms: int) -> Iterator[int]:
        """Yield its times after a moment, in epoch milliseconds. Those of a rate count from `anchor_ms`."""
        if self.cron is None:
            step_ms = self.rate_minutes * MINUTE_MS
            yield from itertools.count(anchor_ms + max(1, (ms - anchor_ms) // step_ms + 1) * step_ms, step_ms)
        else:
            start = datetime.fromtimestamp(ms // MS_PER_SEC, self.zone).replace(tzinfo=None, second=0, microsecond=0)
            times = (self._to_ms(moment) for moment in self.cron.times_from(start))
            # In the repeated hour, a later local time may lie before `ms`.
            yield from (time for time in times if time is not None and time > ms)

    def next_time(self, ms: int, anchor_ms: int) -> int | None:
        """Return the first time after a moment; None if there is none."""
        return next(self.times_after(ms, anchor_ms), None)

    def default_spread_minutes(self, now_ms: int) -> int:
        """Return 10 for a schedule that runs daily or less often, else 0."""
        times = list(itertools.islice(self.times_after(now_ms, now_ms), 5))
        rare = all(later - earlier >= _ALMOST_A_DAY_MS for earlier, later in itertools.pairwise(times))
        return DAILY_SPREAD_MINUTES if rare else 0

    def _to_ms(self, moment: datetime) -> int | None:
        """Return the first occurrence of a local time; None for a time that the clock skips."""
        utc = moment.replace(tzinfo=self.zone, fold=0).astimezone(_UTC)
        if utc.astimezone(self.zone).replace(tzinfo=None) != moment:
            return None
        return int(utc.timestamp()) * MS_PER_SEC


@functools.lru_cache(maxsize=1024)
def parse_schedule(expression: str, timezone: str = "UTC") -> Schedule:
    """Parse an expression and an IANA time zone. Raises ScheduleInvalidError."""
    zone = find_zone(timezone)
    text = expression.strip()
    if rate := _RATE.fullmatch(text):
        minutes = int(rate[1]) * _UNIT_MINUTES[rate[2]]
        if not 1 <= minutes <= _MOST_MINUTES:
            raise ScheduleInvalidError("A rate is at least one minute and at most 366 days. Example: rate(5 minutes)")
        return Schedule(None, zone, minutes)
    if text.startswith("rate("):
        raise ScheduleInvalidError("A rate is a whole number of minutes, hours or days. Example: rate(5 minutes)")
    if text.startswith("cron("):
        cron = _CRON.fullmatch(text)
        if cron is None:
            raise ScheduleInvalidError(f"The closing parenthesis is missing. Example: {EXAMPLE}")
        text = cron[1]
    return Schedule(parse_cron(text), zone)


def in_zone(ms: int, zone: str) -> str:
    """Return a time in RFC 3339, with the offset of a zone."""
    return datetime.fromtimestamp(ms // MS_PER_SEC, ZoneInfo(zone)).isoformat()


def spread_ms(check_id: str, spread_minutes: int) -> int:
    """Return how much later than its times a check runs: below the spread, and always the same for one check."""
    if spread_minutes == 0:
        return 0
    digest = hashlib.sha256(check_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (spread_minutes * 60) * MS_PER_SEC


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone with this IANA name. Raises ScheduleInvalidError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleInvalidError(f"timezone: {name[:64]} is no IANA time zone. Example: Europe/Berlin") from None
