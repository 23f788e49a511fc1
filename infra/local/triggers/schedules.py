"""EventBridge Scheduler's part: a thread per schedule that fires its function."""

from __future__ import annotations

import math
import re
import time
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple

from infra.local.settings import ACCOUNT_ID, REGION, StartError
from infra.local.triggers.mappings import StoppableThreads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.local.console import Console
    from infra.local.declarations.stack import Schedule
    from infra.local.invoker import Invoker

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECS = {"minute": 60, "hour": 3600, "day": 86400}
_SWEEPER: Final = "SweepFunction"
# EventBridge Scheduler fires at most once a minute. On one machine a lost message is found sooner.
_SWEEP_SECS: Final = 5.0


class Firings(NamedTuple):
    """When a schedule fires: `after_secs` after the start, then every `every_secs`."""

    schedule: Schedule
    every_secs: float
    after_secs: float


def interval_secs(expression: str) -> float:
    """Return the seconds between two firings of `rate(...)`; StartError for anything else."""
    match = _RATE.fullmatch(expression)
    if match is None:
        raise StartError(f"template.yaml: the local stack fires rate(...) schedules only, not {expression}")
    return int(match[1]) * _UNIT_SECS[match[2]]


def plan_firings(schedules: Sequence[Schedule], every_secs: float | None) -> list[Firings]:
    """Plan all schedules. `every_secs` replaces every interval.

    The sweeper fires at once, so that rows that became due during a stop are handled. Others fire between two sweeps:
    runs that they have just submitted would hide that a queue is empty.
    """
    ordered = sorted(schedules, key=lambda schedule: schedule.function != _SWEEPER)
    periods = [
        every_secs or (_SWEEP_SECS if schedule.function == _SWEEPER else interval_secs(schedule.expression))
        for schedule in ordered
    ]
    gap_secs = min(periods, default=0) / max(1, len(ordered))
    return [
        Firings(schedule, period, number * gap_secs)
        for number, (schedule, period) in enumerate(zip(ordered, periods, strict=True))
    ]


def next_firing(fired_at: float, every_secs: float, now: float) -> float:
    """Return the next time on the schedule's grid. Those that a long firing took are left out."""
    return fired_at + every_secs * max(1, math.ceil((now - fired_at) / every_secs))


class ScheduleThreads(StoppableThreads):
    """All schedules. While one fires, its next times are left out."""

    def __init__(self, invoker: Invoker, console: Console) -> None:
        super().__init__(console)
        self._invoker = invoker

    def start(self, firings: Firings) -> None:
        """Start to fire a schedule."""
        self._start_thread(firings.schedule.name, self._fire, firings)

    def _fire(self, firings: Firings) -> None:
        schedule, every_secs, after_secs = firings
        due_at = time.monotonic() + after_secs
        while not self._stopping.wait(max(0.0, due_at - time.monotonic())):
            try:
                self._invoker.invoke(schedule.function, _event(schedule))
            except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
                self._console.failure("schedule", schedule.function)
            due_at = next_firing(due_at, every_secs, time.monotonic())


def _event(schedule: Schedule) -> dict[str, object]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT_ID,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": REGION,
        "resources": [f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/default/{schedule.name}"],
        "detail": "{}",
    }
