"""What this process knows of quotas that are far from used up: there a run may begin before it is counted.

It is counted right behind its beginning. If that is refused, the client gets the same 429 as otherwise, the result is
thrown away and nothing is recorded: the sandbox has no effect outside. So a quota still bounds what is answered and,
but for this, what runs. How many run in vain is bounded: a process knows only what a submission of its own, which was
counted less than FRESH_MS ago, has told it; each limit was at most half used then, with those that are being counted
at this moment; and the first that is refused ends it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.core.clock import Clock
    from functions.core.quota import Quota, Usage
    from functions.core.submission import Submission

FRESH_MS = 1_000
_MOST_SEEN = 1_000

type _Whose = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Room:
    """One for all threads of a process. Keys are project and profile."""

    clock: Clock
    _seen: dict[_Whose, tuple[int, Usage]] = field(default_factory=dict)
    _uncounted: Counter[_Whose] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def enter(self, row: Submission, quota: Quota) -> bool:
        """Tell whether it may run before it is counted; then `leave` must follow when it was, or was refused."""
        whose, now = _whose(row), self.clock()
        with self._lock:
            seen_at_ms, usage = self._seen.get(whose, (0, None))
            if usage is None or not 0 <= now - seen_at_ms < FRESH_MS:
                return False
            usage, more = usage.at(now), self._uncounted[whose] + 1
            used = (
                (usage.minute.count, quota.per_minute),
                (usage.day.count, quota.per_day),
                (usage.in_flight, quota.in_flight),
            )
            if any(2 * (count + more) > limit for count, limit in used):
                return False
            self._uncounted[whose] = more
            return True

    def leave(self, row: Submission) -> None:
        """It is counted now, or will not be."""
        whose = _whose(row)
        with self._lock:
            self._uncounted[whose] -= 1
            if not self._uncounted[whose]:
                del self._uncounted[whose]

    def note(self, row: Submission, usage: Usage) -> None:
        """What was used when it was counted."""
        with self._lock:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[_whose(row)] = self.clock(), usage

    def forget(self, row: Submission) -> None:
        """It was refused: whatever is known is not so."""
        with self._lock:
            self._seen.pop(_whose(row), None)


def _whose(row: Submission) -> _Whose:
    return row.project_id, row.profile
