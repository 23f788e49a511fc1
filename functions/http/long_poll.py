"""Long polling: read a row with growing pauses until it is in a wanted state.

The stack of one machine knows when a row has changed: `set_version`. There an unchanged row is not read again.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, cast

from functions.env import Env

FIRST_STEP_SECS = 0.010
LONGEST_STEP_SECS = 0.250
GROWTH = 1.5
LONGEST_LOOK_SECS = 0.050
"""Between two looks at the version of a row, which cost little."""
SURE_SECS = 1.0
"""A row is read so often even if its version is the same: the process that changed it may have died before it told."""
ANSWER_SECS = 1.0
"""The time that a function keeps for its answer: a wait ends so long before its timeout."""
SHORTEST_WAIT_SECS = 0.001
"""Of a request that waits, where there is no time to wait: it is answered at once, as after its wait."""


_version: Callable[[str], int] | None = None


def set_version(function: Callable[[str], int] | None) -> None:
    """Set what returns the version of the rows of a partition: another one after each change. None removes it."""
    global _version  # noqa: PLW0603 - one process-wide switch is the point
    _version = function


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
        self, row: Row, read: Callable[[], Row | None], is_over: Callable[[Row], bool], secs: float, pk: str = ""
    ) -> Row | None:
        """Read until `is_over(row)`, until the row is gone (None), or for `secs`. Returns the last row read.

        `pk`: the partition of the row, if `read` reads nothing else.
        """
        version_of = _version if pk else None
        longest = LONGEST_STEP_SECS if version_of is None else LONGEST_LOOK_SECS
        deadline, step = self.monotonic() + secs, FIRST_STEP_SECS
        known, sure_until, seen = -1, 0.0, cast("Row | None", row)
        while seen is not None and not is_over(seen) and (left := self.left_secs(deadline)) > 0:
            self.sleep(min(step, left))
            step = min(step * GROWTH, longest)
            if version_of is not None:
                if (version := version_of(pk)) == known and self.monotonic() < sure_until:
                    continue
                known, sure_until = version, self.monotonic() + SURE_SECS  # order: before the read
            seen = read()
        return seen

    def left_secs(self, deadline: float) -> float:
        """Return how long it may wait until a time of its clock."""
        return min(deadline - self.monotonic(), self.secs_left())


def long_poll(_env: Env) -> LongPoll:
    """Return the clock of the waits of an entry point."""
    return LongPoll()
