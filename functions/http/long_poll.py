"""Long polling: read a row with growing pauses until it is in a wanted state."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from functions.env import Env

FIRST_STEP_SECS = 0.010
LONGEST_STEP_SECS = 0.250
GROWTH = 1.5
ANSWER_SECS = 1.0
"""The time that a function keeps for its answer: a wait ends so long before its timeout."""
SHORTEST_WAIT_SECS = 0.001
"""Of a request that waits, where there is no time to wait: it is answered at once, as after its wait."""


def unlimited() -> float:
    """Return the time to wait of a caller without a limit."""
    return math.inf


@dataclass(frozen=True, slots=True)
class LongPoll:
    """The clock of a long poll. Tests pass their own. `secs_left`: returns how long it may still wait."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    secs_left: Callable[[], float] = unlimited

    def within(self, secs_left: Callable[[], float]) -> Self:
        """Return a long poll with this limit, which may change while it waits."""
        return replace(self, secs_left=secs_left)

    def wait[Row](
        self, row: Row, read: Callable[[], Row | None], is_over: Callable[[Row], bool], secs: float
    ) -> Row | None:
        """Read until `is_over(row)`, until the row is gone (None), or for `secs`. Returns the last row read."""
        deadline, step = self.monotonic() + secs, FIRST_STEP_SECS
        seen: Row | None = row
        while seen is not None and not is_over(seen) and (left := self.left_secs(deadline)) > 0:
            self.sleep(min(step, left))
            step = min(step * GROWTH, LONGEST_STEP_SECS)
            seen = read()
        return seen

    def left_secs(self, deadline: float) -> float:
        """Return how long it may wait until a time of its clock."""
        return min(deadline - self.monotonic(), self.secs_left())


def long_poll(_env: Env) -> LongPoll:
    """Return the clock of the waits of an entry point."""
    return LongPoll()
