"""A schedule and its time zone, which several requests have: their problems, and the next times."""

from collections.abc import Iterator
from itertools import islice

from functions.checks.schedule import MINUTE_MS, ScheduleInvalidError, find_zone, in_zone, parse_schedule
from functions.errors import FieldProblem
from functions.http.problems import Problems


def schedule_problems(schedule: str | None, timezone: str, place: str = "") -> Iterator[FieldProblem]:
    """Yield the problems of both fields. `place`: of the object that has them, with a dot at its end."""
    try:
        find_zone(timezone)
    except ScheduleInvalidError as invalid:
        yield FieldProblem(f"{place}timezone", str(invalid))
        timezone = "UTC"
    try:
        if schedule is not None:
            parse_schedule(schedule, timezone)
    except ScheduleInvalidError as invalid:
        yield FieldProblem(f"{place}schedule", str(invalid))


def next_times(schedule: str, timezone: str, now_ms: int, count: int) -> list[str]:
    """Return the next times of a schedule, in its zone. Raises InvalidFieldsError."""
    problems = Problems()
    problems.add(schedule_problems(schedule, timezone))
    problems.refuse()
    times = parse_schedule(schedule, timezone).times_after(now_ms, now_ms // MINUTE_MS * MINUTE_MS)
    return [in_zone(time, timezone) for time in islice(times, count)]
