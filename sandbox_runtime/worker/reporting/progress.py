"""Report finished cases of judge runs while they go on, at most twice a second for each run."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import batched
from threading import Event, Lock

from events.judged import CaseResult, JudgeProgress
from events.message import format_time
from sandbox_runtime.background import start_background

PERIOD_SECS = 0.5
MOST_CASES = 200
"""Of one message."""


class ProgressReports:
    """Collects results and calls `send` for each run that has new ones. One thread serves all runs.

    A run that ends within PERIOD_SECS sends none: its completion has all results.
    """

    def __init__(self, send: Callable[[JudgeProgress], None]) -> None:
        self._send = send
        self._unsent: dict[str, JudgeProgress] = {}
        self._lock = Lock()
        self._has_some = Event()
        self._closed = Event()
        start_background(self._run, stop=self._closed)

    def add(self, progress: JudgeProgress) -> None:
        """Add new results of a run. They are sent without outputs and messages, and `sent_at` is set then."""
        with self._lock:
            known = self._unsent.get(progress.execution_id)
            cases = progress.cases if known is None else known.cases + progress.cases
            self._unsent[progress.execution_id] = progress.changed(cases=cases)
        self._has_some.set()

    def drop(self, execution_id: str) -> None:
        """Forget the results of a run that has ended: send no progress after its completion."""
        with self._lock:
            self._unsent.pop(execution_id, None)

    def close(self) -> None:
        """Send no more."""
        self._closed.set()
        self._has_some.set()

    def _run(self) -> None:
        while self._has_some.wait() and not self._closed.wait(PERIOD_SECS):
            self._has_some.clear()
            with self._lock:
                unsent, self._unsent = self._unsent, {}
            for progress in unsent.values():
                for cases in batched(map(_without_texts, progress.cases), MOST_CASES):
                    self._send(progress.changed(cases=cases, sent_at=format_time(datetime.now(UTC))))


def _without_texts(case: CaseResult) -> CaseResult:
    """Return a case whose size no program decides: MOST_CASES of them fit into a message, and into a row."""
    case = case.changed(checker_message=None, team_message=None)
    if case.run is None:
        return case
    streams = {name: getattr(case.run, name).changed(head=b"", object_key=None) for name in ("stdout", "stderr")}
    return case.changed(run=case.run.changed(**streams))
