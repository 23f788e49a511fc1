"""Times of a check over two years in ten zones, against a walk through all quarter hours of real time."""

import functools
from datetime import datetime
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest

from functions.checks.schedule import MINUTE_MS, ScheduleInvalidError, parse_schedule, spread_ms
from functions.clock import from_rfc3339, to_rfc3339

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Australia/Lord_Howe",  # its clock moves by half an hour
    "Pacific/Auckland",
)
START = from_rfc3339("2026-01-01T00:00:00Z")
END = from_rfc3339("2028-01-01T00:00:00Z")


def times(expression: str, zone: str, start: int = START, end: int = END) -> list[int]:
    return list(takewhile(lambda time: time < end, parse_schedule(expression, zone).times_after(start, start)))


def shown(expression: str, zone: str, start: str, end: str) -> list[str]:
    return [to_rfc3339(time)[:16] for time in times(expression, zone, from_rfc3339(start), from_rfc3339(end))]


@functools.cache
def quarter_hours(zone: str) -> list[tuple[int, datetime]]:
    """Walk through real time; return the local time of each quarter of an hour."""
    zone_info, walk = ZoneInfo(zone), range(START + 15 * MINUTE_MS, END, 15 * MINUTE_MS)
    return [(ms, datetime.fromtimestamp(ms // 1000, zone_info).replace(tzinfo=None)) for ms in walk]


def walked(zone: str, hours: set[int], minutes: set[int]) -> list[int]:
    """Keep the first occurrence of each matching local time."""
    first: dict[datetime, int] = {}
    for ms, local in quarter_hours(zone):
        if local.hour in hours and local.minute in minutes:
            first.setdefault(local, ms)
    return list(first.values())


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("expression", "hours", "minutes"),
    [
        ("cron(30 2 * * ? *)", {2}, {30}),
        ("cron(0,15,30,45 1-3 * * ? *)", {1, 2, 3}, {0, 15, 30, 45}),
        ("0 0 * * *", {0}, {0}),
    ],
)
def test_each_local_time_that_exists_runs_once_in_two_years(
    expression: str, hours: set[int], minutes: set[int], zone: str
) -> None:
    assert times(expression, zone) == walked(zone, hours, minutes)


def test_a_skipped_hour_is_skipped_and_a_repeated_hour_runs_once() -> None:
    berlin = ("cron(30 2 * * ? *)", "Europe/Berlin")
    assert shown(*berlin, "2027-03-26T12:00:00Z", "2027-03-30T00:00:00Z") == ["2027-03-27T01:30", "2027-03-29T00:30"]
    assert shown(*berlin, "2027-10-30T12:00:00Z", "2027-11-01T02:00:00Z") == ["2027-10-31T00:30", "2027-11-01T01:30"]


def test_a_time_within_the_repeated_hour_is_not_given_again() -> None:
    # 00:30 and 01:30 UTC are both 02:30 in Berlin on this day.
    assert shown("30 2 * * *", "Europe/Berlin", "2027-10-31T01:00:00Z", "2027-10-31T23:00:00Z") == []


@pytest.mark.parametrize("zone", ZONES)
def test_a_rate_counts_real_time(zone: str) -> None:
    found = times("rate(6 hours)", zone)
    assert found == list(range(START + 360 * MINUTE_MS, END, 360 * MINUTE_MS))


@pytest.mark.parametrize("zone", ZONES)
def test_the_next_time_from_any_time_is_the_one_of_the_list(zone: str) -> None:
    # Only these years: each call looks at every year of the expression.
    expression = "cron(0/20 0-4 * * ? 2026-2027)"
    schedule = parse_schedule(expression, zone)
    found = times(expression, zone, START, START + 366 * 1440 * MINUTE_MS)
    for earlier, later in pairwise(found):
        assert schedule.next_time(earlier, START) == later
        assert schedule.next_time(later - 1, START) == later


@pytest.mark.parametrize(
    ("unix", "aws"),
    [
        ("0 6 * * 1-5", "cron(0 6 ? * MON-FRI *)"),
        ("0 6 * * 0", "cron(0 6 ? * SUN *)"),
        ("0 6 * * 7", "cron(0 6 ? * 1 *)"),
        ("0 6 * * 5-7", "cron(0 6 ? * 1,6,7 *)"),
        ("*/5 * 1 * *", "cron(0/5 * 1 * ? *)"),
        ("0 0 * jan,jul *", "cron(0 0 * 1,7 ? *)"),
    ],
)
def test_unix_cron_is_translated(unix: str, aws: str) -> None:
    end = START + 40 * 1440 * MINUTE_MS
    assert times(unix, "UTC", START, end) == times(aws, "UTC", START, end) != []


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("cron(0 10 ? * 6L *)", "2026-01-30T10:00"),  # the last Friday
        ("cron(0 10 ? * MON#2 *)", "2026-01-12T10:00"),
        ("cron(0 10 L * ? *)", "2026-01-31T10:00"),
        ("cron(0 10 LW * ? *)", "2026-01-30T10:00"),
        ("cron(0 10 3W * ? *)", "2026-01-02T10:00"),  # the 3rd is a Saturday
        ("cron(0 10 1W 8 ? *)", "2026-08-03T10:00"),  # the 1st is a Saturday: the weekday stays in its month
        ("cron(0 10 29 2 ? *)", "2028-02-29T10:00"),
        ("cron(0 10 1 1 ? 2030)", "2030-01-01T10:00"),
    ],
)
def test_last_nth_and_nearest_days_of_a_month_are_found(expression: str, first: str) -> None:
    assert shown(expression, "UTC", "2026-01-01T12:00:00Z", "2031-01-01T00:00:00Z")[0] == first


@pytest.mark.parametrize(
    ("expression", "zone", "reason"),
    [
        ("every day", "UTC", "has 2"),
        ("cron(0 12 * * * *)", "UTC", "must be ?"),
        ("cron(0 12 ? * ? *)", "UTC", "must be ?"),
        ("cron(60 12 * * ? *)", "UTC", "minutes: 60"),
        ("cron(5-1 12 * * ? *)", "UTC", "backwards"),
        ("cron(*/0 12 * * ? *)", "UTC", "minutes: 0"),
        ("cron(0 12 31 2 ? *)", "UTC", "No date"),
        ("cron(0 12 1 1 ? 1999)", "UTC", "No date"),
        ("cron(0 12 ? * 9L *)", "UTC", "day-of-week"),
        ("cron(0 12 * * ? *", "UTC", "parenthesis"),
        ("0 0 13 * 5", "UTC", "either"),
        ("0 0 * * 8", "UTC", "day-of-week: 8"),
        ("rate(0 minutes)", "UTC", "at least one minute"),
        ("rate(30 seconds)", "UTC", "whole number"),
        ("rate(999999 days)", "UTC", "at most"),
        ("0 0 * * *", "Berlin", "IANA"),
        ("0 0 * * *", "../../etc/passwd", "IANA"),
        ("0 0 * * *", "", "IANA"),
        ("٣ 0 * * *", "UTC", "minutes"),
    ],
)
def test_an_invalid_expression_gets_its_reason_and_an_example(expression: str, zone: str, reason: str) -> None:
    with pytest.raises(ScheduleInvalidError) as raised:
        parse_schedule(expression, zone)
    assert reason in str(raised.value)
    assert "xample" in str(raised.value)


def test_the_spread_is_stable_bounded_and_even() -> None:
    offsets = [spread_ms(f"check-{number}", 10) for number in range(1000)]
    assert offsets == [spread_ms(f"check-{number}", 10) for number in range(1000)]
    by_minute = [sum(offset // MINUTE_MS == minute for offset in offsets) for minute in range(10)]
    assert sum(by_minute) == 1000
    assert max(by_minute) < 150
    assert spread_ms("check", 0) == 0


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [("0 0 * * *", 10), ("rate(1 day)", 10), ("cron(0 8 ? * MON *)", 10), ("0 */12 * * *", 0), ("rate(1 minute)", 0)],
)
def test_only_daily_and_rarer_checks_are_spread_by_default(expression: str, minutes: int) -> None:
    # From the evening before the change to summer time, whose day has 23 hours.
    now = from_rfc3339("2027-03-27T20:00:00Z")
    assert parse_schedule(expression, "Europe/Berlin").default_spread_minutes(now) == minutes
