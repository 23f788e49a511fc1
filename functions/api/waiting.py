"""Waiting for a submission to become final, by looking at its row in growing steps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.core.submission import Submission

FIRST_STEP_SECS = 0.010
LONGEST_STEP_SECS = 0.250
_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Patience:
    """Time for those who wait; tests bring their own."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def until_final(
        self, submission: Submission, read: Callable[[], Submission | None], secs: float
    ) -> Submission | None:
        """Look again until it is final, gone (None), or `secs` are over. Returns what was seen last."""
        deadline, step = self.monotonic() + secs, FIRST_STEP_SECS
        seen: Submission | None = submission
        while seen is not None and not seen.is_final and (left := deadline - self.monotonic()) > 0:
            self.sleep(min(step, left))
            step = min(step * _GROWTH, LONGEST_STEP_SECS)
            seen = read()
        return seen
