"""Send `execution_started` for runs that last. The completion of a short run carries `started_at` too."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event

from events.runner import ExecutionStarted
from sandbox_runtime.background import start_background

STARTED_AFTER_SECS = 0.25


@dataclass(eq=False, slots=True)
class _Run:
    started: ExecutionStarted
    due_at: float
    has_ended: bool = False


class LongRuns:
    """Calls `send` for each run that has not ended STARTED_AFTER_SECS after its start. One thread serves all runs."""

    def __init__(self, send: Callable[[ExecutionStarted], None]) -> None:
        self._send = send
        # All runs wait equally long, so the first one is due first.
        self._begun: SimpleQueue[_Run | None] = SimpleQueue()
        self._closed = Event()
        start_background(self._run, stop=self._closed)

    @contextmanager
    def watch(self, started: ExecutionStarted) -> Iterator[None]:
        """Watch a run from its start to its end."""
        run = _Run(started, time.monotonic() + STARTED_AFTER_SECS)
        self._begun.put(run)
        try:
            yield
        finally:
            run.has_ended = True

    def close(self) -> None:
        """Send no more messages."""
        self._closed.set()
        self._begun.put(None)

    def _run(self) -> None:
        while (run := self._begun.get()) is not None:
            # Short runs have ended before this thread reaches them. So it wakes at most a few times a second.
            if run.has_ended or self._closed.wait(max(0.0, run.due_at - time.monotonic())):
                continue
            if not run.has_ended:
                self._send(run.started)
