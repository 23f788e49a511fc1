"""Long polling: read a row with growing pauses until it is in a wanted state."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_STEP_SECS = 0.010
LONGEST_STEP_SECS = 0.250
_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class LongPoll:
    """The clock of a long poll. Tests pass their own."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def wait[Row](
        self, row: Row, read: Callable[[], Row | None], is_over: Callable[[Row], bool], secs: float
    ) -> Row | None:
        """Read until `is_over(row)`, until the row is gone (None), or for `secs`. Returns the last row read."""
        deadline, step = self.monotonic() + secs, FIRST_STEP_SECS
        seen: Row | None = row
        while seen is not None and not is_over(seen) and (left := deadline - self.monotonic()) > 0:
            self.sleep(min(step, left))
            step = min(step * _GROWTH, LONGEST_STEP_SECS)
            seen = read()
        return seen
