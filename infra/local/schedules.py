"""EventBridge Scheduler's part: a thread per schedule that fires its function."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING

from infra.local.errors import StartError
from infra.local.settings import ACCOUNT_ID, REGION
from infra.local.stoppable_threads import StoppableThreads

if TYPE_CHECKING:
    from infra.local.console import Console
    from infra.local.invoker import Invoker
    from infra.local.stack import Schedule

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECS = {"minute": 60, "hour": 3600, "day": 86400}


def interval_secs(expression: str) -> float:
    """Return the seconds between two firings of `rate(...)`; StartError for anything else."""
    match = _RATE.fullmatch(expression)
    if match is None:
        raise StartError(f"template.yaml: the local stack fires rate(...) schedules only, not {expression}")
    return int(match[1]) * _UNIT_SECS[match[2]]


class ScheduleThreads(StoppableThreads):
    """All schedules. A firing that takes longer than the interval delays the next one."""

    def __init__(self, invoker: Invoker, console: Console) -> None:
        super().__init__(console)
        self._invoker = invoker

    def start(self, schedule: Schedule, every_secs: float) -> None:
        """Fire now, then every `every_secs`. So rows that became due during a stop are handled at once."""
        self._start_thread(schedule.name, self._fire, schedule, every_secs)

    def _fire(self, schedule: Schedule, every_secs: float) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._invoker.invoke(schedule.function, _event(schedule))
            except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
                self._console.failure("schedule", schedule.function)
            self._stopping.wait(max(0.0, started + every_secs - time.monotonic()))


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
