"""Give the due times of a check their runs: exactly one row for each scheduled time. Repair times of a wrong clock."""

from dataclasses import replace
from itertools import islice, takewhile

from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.runs.groups import wake
from functions.checks.runs.run import Run, RunKind, RunStatus, new_run, scheduled_run_id
from functions.checks.runs.store import RunStore
from functions.checks.schedule import MINUTE_MS
from functions.checks.settings.check_settings import MissedRule, Overlap
from functions.checks.settings.store import Check, CheckStore
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.failpoint import reach

ON_TIME_MS = 3 * MINUTE_MS
"""A run that starts later than this is late: the schedule fires every minute, and SQS may take a minute too."""
_MOST_TIMES = 90
"""Times of one transaction, which may have 100 actions. The others are due at once."""


def fire(env: Env, project_id: str, check_id: str) -> list[Run]:
    """Add the runs of the due times of a check, and return them. Repeating the call is safe."""
    now, added = env.clock(), list[Run]()
    while True:
        check = env[CheckStore].get(project_id, check_id)
        if check is None or check.due_at_ms is None or check.due_at_ms > now:
            return added
        runs, after = due_runs(check, now)
        reach("check.before_schedule")
        if env[RunStore].add_scheduled(check, after, runs):
            added += runs
        reach("check.after_schedule")


def due_runs(check: Check, now: int) -> tuple[list[Run], Check]:
    """Return the runs of the due times, oldest first, and the check moved to its next time.

    Only the latest run may start. The ones before it are missed: they could not start before the next was due.
    A heartbeat has no program, so all of its due times are missed.
    """
    first, until = check.next_slot_ms or 0, now - check.delay_ms
    times = [first, *islice(takewhile(lambda time: time <= until, check.times_after(first)), _MOST_TIMES - 1)]
    next_time = check.next_time_after(times[-1])
    is_whole = next_time is None or next_time > until  # else more times are due
    runs = [_missed(check, time, now) for time in times]
    after = replace(check, next_slot_ms=next_time)
    late_ms = now - check.delay_ms - times[-1]
    grace_ms = check.settings.grace_minutes * MINUTE_MS if check.settings.missed is MissedRule.RUN_LATEST else 0
    if is_whole and not check.settings.is_heartbeat and late_ms <= max(ON_TIME_MS, grace_ms):
        runs[-1] = _latest(check, times[-1], now, late_ms)
        if runs[-1].status is RunStatus.QUEUED:
            after = replace(after, open_run_id=runs[-1].run_id)
    return runs, after


def _scheduled_run(check: Check, scheduled_ms: int, now: int) -> Run:
    return new_run(check, RunKind.SCHEDULED, scheduled_ms, now, scheduled_run_id(check.check_id, scheduled_ms))


def _latest(check: Check, scheduled_ms: int, now: int, late_ms: int) -> Run:
    run = _scheduled_run(check, scheduled_ms, now)
    if check.open_run_id is not None and check.settings.overlap is Overlap.SKIP:
        reason = f"the run before was still going on: {check.open_run_id}"
        return replace(run, status=RunStatus.SKIPPED, reason=reason, due_at_ms=None)
    if late_ms > ON_TIME_MS:
        return replace(run, reason=f"started {late_ms // MS_PER_SEC} s late")
    return run


def _missed(check: Check, scheduled_ms: int, now: int) -> Run:
    if check.settings.is_heartbeat:
        reason = f"no ping came by {check.in_zone(scheduled_ms + check.delay_ms)}"
    else:
        late_secs = (now - scheduled_ms - check.spread_ms) // MS_PER_SEC
        reason = f"the schedule was not served in time: {late_secs} s late"
    return replace(_scheduled_run(check, scheduled_ms, now), status=RunStatus.MISSED, reason=reason)


_AHEAD_MS = MINUTE_MS // 2
_SOON_MS = 10 * MINUTE_MS
"""A run that is due later was leased, or put off, by the clock that ran ahead."""
_EVER_MS = 2**53


class ClockMark(Table):
    """The latest time at which the schedule has fired."""

    table_setting = "checks_table"

    def read(self) -> int:
        """Return it; 0 before the first firing."""
        row = self._get(keys.clock_key())
        return 0 if row is None else int(row["latest_ms"])

    def write(self, latest_ms: int) -> None:
        self._client.put_item(TableName=self.table_name, Item={**keys.clock_key(), **to_item({"latest_ms": latest_ms})})


def repair_clock(env: Env) -> int:
    """Return how many checks and runs were moved to an earlier time. Call it before each firing.

    Repeating the call is safe, and it is repeated until it was whole.
    """
    now, moved, mark, runs = env.clock(), 0, env[ClockMark], env[RunStore]
    if mark.read() > now + _AHEAD_MS:
        for row in runs.due(_EVER_MS):
            if row.is_check and row.due_at_ms > now:
                moved += _plan_again(env, *keys.ids_of_check(row.pk, row.sk))
            elif row.is_group:
                moved += bool(wake(env, row.pk, row.sk))
            elif row.due_at_ms > now + _SOON_MS and (run := runs.get_run(row.pk, row.sk)) is not None:
                moved += runs.lease(run, now) is not None
    mark.write(now)
    return moved


def _plan_again(env: Env, project_id: str, check_id: str) -> bool:
    """Move a check to its first time from now on, if that is sooner than its next one. Tell whether it was moved.

    A rate that counts from a time in the future counts from now.
    """
    now, check = env.clock(), env[CheckStore].get(project_id, check_id)
    if check is None or check.next_slot_ms is None:
        return False
    after = replace(check, anchor_ms=min(check.anchor_ms, now))
    after = replace(after, next_slot_ms=after.next_time_after(now - check.spread_ms))
    is_sooner = after.next_slot_ms is not None and after.next_slot_ms < check.next_slot_ms
    return is_sooner and env[RunStore].add_scheduled(check, after, ())
