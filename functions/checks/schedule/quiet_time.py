"""Quiet times: stretches in which the changes of a state are not sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.schedule.expression import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.checks.schedule.expression import Schedule


@dataclass(frozen=True, slots=True)
class QuietTime:
    """The given minutes after each time of a cron schedule."""

    schedule: Schedule
    minutes: int

    def end_ms(self, now_ms: int) -> int | None:
        """Return when the stretch that lasts now ends, or the earliest of several; None if none lasts."""
        length_ms = self.minutes * MINUTE_MS
        started_ms = self.schedule.next_time(now_ms - length_ms, 0)
        return None if started_ms is None or started_ms > now_ms else started_ms + length_ms


def quiet_until(times: Iterable[QuietTime], now_ms: int) -> int | None:
    """Return when to look again whether it is quiet; None if it is not quiet now."""
    ends = (time.end_ms(now_ms) for time in times)
    return max((end for end in ends if end is not None), default=None)
