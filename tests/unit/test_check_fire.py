"""Each scheduled time of two years becomes one row, in ten zones, however the schedule is served."""

import random
from collections import Counter
from dataclasses import replace
from itertools import takewhile

import pytest

from functions.checks.runs.firing import ON_TIME_MS, due_runs
from functions.checks.runs.run import Run, RunStatus
from functions.checks.schedule import MINUTE_MS, parse_schedule
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.store import Check
from functions.clock import from_rfc3339

ZONES = (
    *("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo"),
    *("Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland"),
)
START = from_rfc3339("2026-01-01T00:00:00Z")
END = from_rfc3339("2028-01-01T00:00:00Z")
HOUR_MS = 60 * MINUTE_MS
SCHEDULE = "cron(30 2,10,18 * * ? 2026-2028)"  # each call looks at every year
"""Half past two does not exist once a year, and exists twice once a year."""


def new_check(zone: str, schedule: str, **settings: object) -> Check:
    program = {"name": "a", "slug": "a", "language": "python", "code": "-"}
    whole = CheckSettings.model_validate({**program, "schedule": schedule, "timezone": zone, **settings})
    check = Check(
        check_id="3f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c03",
        project_id="dev",
        settings=whole,
        created_at="",
        updated_at="",
        anchor_ms=START,
        badge_token="",
    )
    return replace(check, next_slot_ms=check.next_time_after(START))


def served(check: Check, chance: random.Random) -> list[tuple[Run, int]]:
    """Serve the check until the end: some minutes late, sometimes after an outage, and every call twice.

    A run ends before the next time, or lasts for nine hours. Each row comes with the time of its call.
    """
    rows: list[tuple[Run, int]] = []
    now, busy_until = START, 0
    while (due := check.due_at_ms) is not None and due < END:
        now = max(now, due) + chance.choice((0, 0, 1, 1, 2, 50, 179, 20 * 60)) * MINUTE_MS + chance.randrange(MINUTE_MS)
        if now >= busy_until:
            check = replace(check, open_run_id=None)
        runs, after = due_runs(check, now)
        assert due_runs(check, now) == (runs, after)  # a duplicate writes the same rows, and its condition fails
        rows += [(run, now) for run in runs]
        if runs[-1].status is RunStatus.QUEUED:
            busy_until = now + chance.choice((1, 9 * HOUR_MS))
        check = after
    return rows


@pytest.mark.parametrize("zone", ZONES)
def test_each_time_of_two_years_becomes_one_row(zone: str) -> None:
    is_strict = ZONES.index(zone) % 2 == 0
    settings = {"overlap": "skip", "spread_minutes": 10} if is_strict else {"overlap": "allow", "missed": "skip"}
    check = new_check(zone, SCHEDULE, **settings)
    rows = served(check, random.Random(zone))  # noqa: S311 - a plan that is the same each time
    times = takewhile(
        lambda time: time + check.spread_ms < END, parse_schedule(SCHEDULE, zone).times_after(START, START)
    )
    wanted, found = list(times), [run.scheduled_ms for run, _ in rows]
    assert len(wanted) > 2_000
    assert found[: len(wanted)] == wanted
    assert len({run.run_id for run, _ in rows}) == len(rows)
    statuses = Counter(run.status for run, _ in rows)
    assert statuses[RunStatus.QUEUED] > len(rows) / 4
    assert statuses[RunStatus.MISSED]
    assert bool(statuses[RunStatus.SKIPPED]) == is_strict
    for run, now in rows:
        late_ms = now - run.scheduled_ms - check.spread_ms
        assert late_ms >= 0
        assert run.reason or (run.status is RunStatus.QUEUED and late_ms <= ON_TIME_MS)
        assert is_strict or run.status is not RunStatus.QUEUED or late_ms <= ON_TIME_MS
