"""A thread that works on all items that have arrived while its last call was under way."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event

from sandbox_runtime.background import start_background

# A call that SQS does not answer takes 30 s with its retries. The process does not wait that long for its end.
CLOSE_SECS = 10

type Step[T] = Callable[[list[T]], tuple[list[T], float]]
"""Handles some of the waiting items. Returns those that still wait, and the seconds until it must be called again."""


class BatchThread[T]:
    """Calls `step` with all waiting items, oldest first, as soon as there is one. One call at a time.

    So a single item is never held back, and a busy thread gets batches. A new item ends a pause.
    """

    def __init__(self, step: Step[T]) -> None:
        self._step = step
        self._arrived: SimpleQueue[T | None] = SimpleQueue()
        self._waiting: list[T] = []
        self._closed = Event()
        self._thread = start_background(self._run, stop=self._closed)

    def put(self, item: T) -> None:
        """Queue an item. Returns at once."""
        self._arrived.put(item)

    def wake(self) -> None:
        """End a pause."""
        self._arrived.put(None)

    def close(self) -> None:
        """Handle the queued items, then end the thread. Waits at most CLOSE_SECS."""
        self._closed.set()
        self.wake()
        self._thread.join(CLOSE_SECS)

    def _run(self) -> None:
        pause_secs = 0.0
        while self._waiting or not (self._closed.is_set() and self._arrived.empty()):
            self._waiting += self._take(pause_secs if self._waiting else None)
            if self._waiting:
                # If it raises, the items still wait, and the thread's next start handles them.
                self._waiting, pause_secs = self._step(self._waiting.copy())

    def _take(self, timeout_secs: float | None) -> list[T]:
        """Wait for the first item or a wake-up, then take everything. Empty after `timeout_secs`; None: no timeout."""
        found: list[T | None] = []
        try:
            found.append(self._arrived.get(timeout=timeout_secs))
            while True:
                found.append(self._arrived.get_nowait())
        except Empty:
            return [item for item in found if item is not None]
