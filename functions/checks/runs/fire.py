"""Turn the due slots of a check into runs: exactly one row for each slot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from functions.checks.runs.model import Run, RunKind, RunStatus, new_run, slot_run_id
from functions.checks.schedule.expression import MINUTE_MS
from functions.checks.settings.check_settings import MissedRule, Overlap
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.failpoint import reach

if TYPE_CHECKING:
    from functions.checks.runs.store import RunStore
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore

ON_TIME_MS = 3 * MINUTE_MS
"""A slot that starts later than this is late: the schedule fires every minute, and SQS may take a minute too."""
_MOST_SLOTS = 90
"""Slots of one transaction, which may have 100 actions. The others are due at once."""


@dataclass(frozen=True, slots=True)
class Firing:
    """Takes slots."""

    store: CheckStore
    runs: RunStore
    clock: Clock = now_ms

    def fire(self, project_id: str, check_id: str) -> list[Run]:
        """Take the due slots of a check; return their runs. Repeating the call is safe."""
        now, taken = self.clock(), list[Run]()
        while True:
            check = self.store.get(project_id, check_id)
            if check is None or check.due_at_ms is None or check.due_at_ms > now:
                return taken
            runs, after = take(check, now)
            reach("check.before_take")
            if self.runs.take_slots(check, after, runs):
                taken += runs
            reach("check.after_take")

    def plan_again(self, project_id: str, check_id: str) -> bool:
        """Move a check to its first slot from now on, if that is sooner than its next one. Tell whether it was moved.

        A rate that counts from a time in the future counts from now.
        """
        now, check = self.clock(), self.store.get(project_id, check_id)
        if check is None or check.next_slot_ms is None:
            return False
        after = replace(check, anchor_ms=min(check.anchor_ms, now))
        after = replace(after, next_slot_ms=after.next_slot_after(now - check.spread_ms))
        is_sooner = after.next_slot_ms is not None and after.next_slot_ms < check.next_slot_ms
        return is_sooner and self.runs.take_slots(check, after, ())


def take(check: Check, now: int) -> tuple[list[Run], Check]:
    """Return the runs of the due slots, oldest first, and the check moved to its next slot.

    Only the latest slot may run. The ones before it are missed: they could not start before the next was due.
    """
    first, until = check.next_slot_ms or 0, now - check.spread_ms
    slots = [first, *islice(takewhile(lambda slot: slot <= until, check.slots_after(first)), _MOST_SLOTS - 1)]
    next_slot = check.next_slot_after(slots[-1])
    is_whole = next_slot is None or next_slot > until  # else more slots are due
    runs = [_missed(check, slot, now) for slot in slots]
    after = replace(check, next_slot_ms=next_slot)
    late_ms = now - check.spread_ms - slots[-1]
    grace_ms = check.settings.grace_minutes * MINUTE_MS if check.settings.missed is MissedRule.RUN_LATEST else 0
    if is_whole and late_ms <= max(ON_TIME_MS, grace_ms):
        runs[-1] = _latest(check, slots[-1], now, late_ms)
        if runs[-1].status is RunStatus.QUEUED:
            after = replace(after, open_run_id=runs[-1].run_id)
    return runs, after


def _slot_run(check: Check, slot_ms: int, now: int) -> Run:
    return new_run(check, RunKind.SCHEDULED, slot_ms, now, slot_run_id(check.check_id, slot_ms))


def _latest(check: Check, slot_ms: int, now: int, late_ms: int) -> Run:
    run = _slot_run(check, slot_ms, now)
    if check.open_run_id is not None and check.settings.overlap is Overlap.SKIP:
        reason = f"the run before was still going on: {check.open_run_id}"
        return replace(run, status=RunStatus.SKIPPED, reason=reason, due_at_ms=None)
    if late_ms > ON_TIME_MS:
        return replace(run, reason=f"started {late_ms // MS_PER_SEC} s late")
    return run


def _missed(check: Check, slot_ms: int, now: int) -> Run:
    late_secs = (now - slot_ms - check.spread_ms) // MS_PER_SEC
    reason = f"the schedule was not served in time: {late_secs} s late"
    return replace(_slot_run(check, slot_ms, now), status=RunStatus.MISSED, reason=reason)
