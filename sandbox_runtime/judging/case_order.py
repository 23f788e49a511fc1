"""Which case is judged next, and the results in the order of the cases."""

from collections.abc import Mapping
from threading import Lock

from events.judged import CaseResult
from events.requested import Group, Judging
from events.vocabulary import Outcome
from sandbox_runtime.judging.judgement import SKIPPED

# Which cases are skipped after a case that failed. Pure functions.

FAILURES = frozenset({Outcome.WRONG_ANSWER, Outcome.PRESENTATION_ERROR, Outcome.FAILED})
"""A partial answer is none, and an error of the judge says nothing about the program."""


def stops(judging: Judging, group: Group) -> bool:
    """Whether a failure in this group skips its other cases."""
    return judging.stop == "group" if group.stop is None else group.stop


def is_skipped(judging: Judging, outcomes: Mapping[int, str], index: int) -> bool:
    """Whether a case is skipped. `outcomes`: of the cases so far, by index.

    Where a group stops, its rest is skipped after its first failure, and so are the groups that require it.
    """
    stopping: set[str | None] = {group.id for group in judging.groups if stops(judging, group)}
    if judging.stop != "first_failure" and not stopping:
        return False
    failed = [at for at, outcome in outcomes.items() if outcome in FAILURES]
    if judging.stop == "first_failure":
        return bool(failed)
    lost = stopping & {judging.cases[at].group for at in failed}
    while more := {group.id for group in judging.groups if group.id not in lost and lost.intersection(group.requires)}:
        lost |= more
    return judging.cases[index].group in lost


class CaseOrder:
    """Safe for threads: two slots may judge cases of one judge run.

    A result counts when all cases before it have theirs. So a client that asks for later cases misses none.
    """

    def __init__(self, judging: Judging) -> None:
        self._judging, self._count = judging, len(judging.cases)
        self._lock = Lock()
        self._next = 0
        self._again: list[int] = []
        self._early: dict[int, CaseResult] = {}
        self._outcomes: dict[int, str] = {}
        self._results: list[CaseResult] = []
        self._told = 0
        self._end: tuple[Outcome, str | None] | None = None

    @property
    def results(self) -> tuple[CaseResult, ...]:
        return tuple(self._results)

    @property
    def is_over(self) -> bool:
        return len(self._results) == self._count

    @property
    def left(self) -> int:
        """Count the cases that nobody has taken yet."""
        return self._count - self._next + len(self._again)

    def take(self) -> int | None:
        """Take the next case. None: all are taken."""
        with self._lock:
            self._move_on()
            if self._again:
                return self._again.pop(0)
            if self._next == self._count:
                return None
            self._next += 1
            return self._next - 1

    def put(self, result: CaseResult) -> None:
        with self._lock:
            self._early[result.index] = result
            self._move_on()

    def put_back(self, index: int) -> None:
        """Give back a case that must be judged again."""
        with self._lock:
            self._again.append(index)
            self._again.sort()

    def end_all(self, outcome: Outcome = Outcome.SKIPPED, reason: str | None = None) -> None:
        """Give this outcome to each case that has not begun and is not skipped. `reason`: for the client."""
        with self._lock:
            self._end = outcome, reason
            self._move_on()

    def new_results(self) -> list[CaseResult]:
        with self._lock:
            found, self._told = self._results[self._told :], len(self._results)
            return found

    def _move_on(self) -> None:
        """Count the results that are next, and skip cases. The caller holds the lock."""
        while (index := len(self._results)) < self._count:
            result = self._early.pop(index, None)
            if result is None:
                if index < self._next:  # it is taken
                    return
                end = (SKIPPED.outcome, None) if is_skipped(self._judging, self._outcomes, index) else self._end
                if end is None:
                    return
                self._next = index + 1
                result = CaseResult(index, *end, None, None)
            self._outcomes[index] = result.outcome
            self._results.append(result)
