"""When a check runs: `cron(...)`, plain five-field cron, or `rate(...)`, in a time zone.

Cron expressions have the six fields of EventBridge Scheduler; those of five fields are translated to them:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based

The command line has this module too: it imports the standard library only, and runs on Python 3.10.

Daylight saving is that of EventBridge Scheduler: a local time that does not exist is skipped, and a local time that
exists twice is run once, at its first occurrence. A rate counts real time, so no change of the clock affects it.
"""

import calendar
import functools
import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EXAMPLE = "cron(30 2 * * ? *)"
YEARS = range(1970, 2200)
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_FIRST = datetime(2026, 1, 1)  # noqa: DTZ001 - local time
_UNIX_FIELDS = 5
_AWS_FIELDS = 6
_SATURDAY = 7


class ScheduleInvalidError(ValueError):
    """An expression cannot be used. The message states the reason and shows a correct example."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. `day_of_month` and `day_of_week`: one of them is "?", the other may hold L, W or #."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_of_month: str
    months: frozenset[int]
    day_of_week: str
    years: frozenset[int]

    def times_from(self, start: datetime) -> Iterator[datetime]:
        """Yield the matching local times from `start` on, without a zone."""
        for day in self._days_from(start.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    moment = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - local time
                    if moment >= start:
                        yield moment

    def _days_from(self, first: date) -> Iterator[date]:
        for year in sorted(year for year in self.years if year >= first.year):
            for month in sorted(self.months):
                if (year, month) >= (first.year, first.month):
                    days = sorted(self._days_of(year, month))
                    yield from (day for number in days if (day := date(year, month, number)) >= first)

    def _days_of(self, year: int, month: int) -> set[int]:
        if self.day_of_month != "?":
            return _days_of_month(self.day_of_month, year, month)
        return _days_of_week(self.day_of_week, year, month)


def parse_cron(fields_text: str) -> Cron:
    """Parse the text inside `cron(...)`, or plain five-field cron. Raises ScheduleInvalidError."""
    fields = fields_text.upper().split()
    if len(fields) == _UNIX_FIELDS:
        fields = _translate(fields)
    if len(fields) != _AWS_FIELDS:
        raise ScheduleInvalidError(
            f"A cron expression has six fields (or five, as in Unix); this one has {len(fields)}. Example: {EXAMPLE}"
        )
    minutes, hours, day_of_month, months, day_of_week, years = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ScheduleInvalidError(
            f"Exactly one of day-of-month and day-of-week must be ?. Example: {EXAMPLE}, or cron(0 6 ? * MON-FRI *)"
        )
    cron = Cron(
        tuple(sorted(_numbers("minutes", minutes, range(60)))),
        tuple(sorted(_numbers("hours", hours, range(24)))),
        day_of_month,
        frozenset(_numbers("month", months, range(1, 13), _MONTHS)),
        day_of_week,
        frozenset(_numbers("year", years, YEARS)),
    )
    if next(cron.times_from(_FIRST), None) is None:  # it also checks the two fields of days
        raise ScheduleInvalidError(f"No date matches this expression. Example: {EXAMPLE}")
    return cron


def _translate(fields: list[str]) -> list[str]:
    """Translate Unix cron: its weekdays are 0 to 7 with 0 and 7 for Sunday, AWS has 1 to 7 with 1 for Sunday."""
    minutes, hours, day_of_month, months, day_of_week = fields
    if day_of_week == "*":
        return [minutes, hours, "?" if day_of_month == "?" else day_of_month, months, "?", "*"]
    if day_of_month not in {"*", "?"}:
        raise ScheduleInvalidError(
            "Unix cron with both day-of-month and day-of-week means either of them, which a schedule cannot say. "
            "Create two checks. Example: 0 6 * * 1-5"
        )
    unix = {name: number - 1 for name, number in _WEEKDAYS.items()}
    days = {number % 7 + 1 for number in _numbers("day-of-week", day_of_week, range(8), unix, most=range(7))}
    return [minutes, hours, "?", months, ",".join(str(number) for number in sorted(days)), "*"]


def _numbers(
    field: str, text: str, allowed: range, names: dict[str, int] | None = None, most: range | None = None
) -> set[int]:
    """Return the numbers of a field with the wildcards `,`, `-`, `*` and `/`. `most`: the numbers of `*`."""
    numbers: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        low_text, dash, high_text = span.partition("-")
        if span == "*":
            low, high = (most or allowed)[0], (most or allowed)[-1]
        else:
            low = _number(field, low_text, allowed, names)
            high = _number(field, high_text, allowed, names) if dash else (allowed[-1] if slash else low)
        step = _number(field, step_text, range(1, allowed[-1] + 1), None) if slash else 1
        if low > high:
            raise ScheduleInvalidError(f"{field}: {span} runs backwards. Example: {EXAMPLE}")
        numbers.update(range(low, high + 1, step))
    return numbers


def _number(field: str, text: str, allowed: range, names: dict[str, int] | None) -> int:
    number = (names or {}).get(text)
    if number is None and re.fullmatch(r"[0-9]{1,4}", text):
        number = int(text)
    if number is None or number not in allowed:
        shown = text[:16] or "nothing"
        raise ScheduleInvalidError(
            f"{field}: {shown} is not a value from {allowed[0]} to {allowed[-1]}. Example: {EXAMPLE}"
        )
    return number


def _days_of_month(text: str, year: int, month: int) -> set[int]:
    last = calendar.monthrange(year, month)[1]
    if text == "L":
        return {last}
    if text == "LW":
        return {_nearest_weekday(year, month, last, last)}
    if nearest := re.fullmatch(r"([0-9]{1,2})W", text):
        wanted = _number("day-of-month", nearest[1], range(1, 32), None)
        return {_nearest_weekday(year, month, wanted, last)} if wanted <= last else set()
    return {number for number in _plain_days(text) if number <= last}


@functools.lru_cache(maxsize=128)
def _plain_days(text: str) -> frozenset[int]:
    """Read the numbers once, and not for each month until the year 2199."""
    return frozenset(_numbers("day-of-month", text, range(1, 32)))


def _nearest_weekday(year: int, month: int, wanted: int, last: int) -> int:
    """Return the weekday nearest to a day, in the same month."""
    weekday = date(year, month, wanted).isoweekday()
    if weekday == 6:  # noqa: PLR2004 - Saturday
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:  # noqa: PLR2004 - Sunday
        return wanted + 1 if wanted < last else wanted - 2
    return wanted


def _days_of_week(text: str, year: int, month: int) -> set[int]:
    if text == "L":
        return _of_weekdays(year, month, {_SATURDAY})
    if found := re.fullmatch(r"([A-Z]{3}|[1-7])(L|#([1-5]))", text):
        weekday = _number("day-of-week", found[1], range(1, 8), _WEEKDAYS)
        days = sorted(_of_weekdays(year, month, {weekday}))
        if found[3] is None:
            return {days[-1]}
        return set(days[int(found[3]) - 1 : int(found[3])])
    return _of_weekdays(year, month, _numbers("day-of-week", text, range(1, 8), _WEEKDAYS))


def _of_weekdays(year: int, month: int, numbers: set[int]) -> set[int]:
    """Return the days of a month that fall on these weekdays; 1 is Sunday."""
    first, last = date(year, month, 1), calendar.monthrange(year, month)[1]
    return {1 + offset for offset in range(last) if (first + timedelta(days=offset)).isoweekday() % 7 + 1 in numbers}


_UTC = ZoneInfo("UTC")
MS_PER_SEC = 1_000
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
