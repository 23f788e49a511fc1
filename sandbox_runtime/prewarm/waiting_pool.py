"""A pool of slots in which Java's compiler and JVM wait for a program. All slots of a runner share it.

Each waiting command serves one run. The pool starts the next command only after QUIET_SECS without a request.
A start costs more CPU time than it saves, so a busy runner starts each run the ordinary way.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from threading import Condition, Event, Thread
from time import monotonic

from sandbox_runtime.background import start_background
from sandbox_runtime.jail import JailError, JailSpec, Outcome, Slot

QUIET_SECS = 0.25
RETRY_SECS = 30.0

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    """One slot of the pool. `start_at`: when to start its next command; infinity: a command waits.

    `is_busy`: one thread runs a program in the slot or starts a command. Other fields change under the pool's lock.
    """

    index: int
    spec: JailSpec
    slot: Slot | None = None
    start_at: float = 0.0
    is_busy: bool = False

    def is_ready_for(self, spec: JailSpec) -> bool:
        """Whether a command waits for a run like this one. A dead command makes the slot unhealthy."""
        if self.slot is None or self.start_at < inf:
            return False
        try:
            return self.slot.is_ready_for(spec)
        except JailError as error:
            self.log("waiting command ended", error)
            self.slot.healthy = False
            return False

    def start(self, opener: Callable[[int], Slot]) -> None:
        """Start a command, in a new slot if the old one failed. Retries after RETRY_SECS."""
        try:
            if self.slot is not None and not self.slot.healthy:
                self.close()
            if self.slot is None:
                self.slot = opener(self.index)
            self.slot.prewarm(self.spec)
            self.start_at = inf
        except JailError as error:
            self.log("waiting command not started", error)
            self.start_at = monotonic() + RETRY_SECS

    def close(self) -> None:
        """Close the slot and its command."""
        if self.slot is not None:
            self.slot.close()
            self.slot = None

    def log(self, phrase: str, error: JailError) -> None:
        extra = {"slot": self.index, "step": error.step, "target": error.target, "errno": error.errno}
        _LOG.error(phrase, extra=extra)


class WaitingPool:
    """One slot for each of `specs`. `opener(index)` opens the slot of an entry; it raises JailError."""

    def __init__(self, specs: Sequence[JailSpec], opener: Callable[[int], Slot]) -> None:
        self._entries = [_Entry(index, spec) for index, spec in enumerate(specs)]
        self._opener = opener
        self._changed = Condition()
        self._closed = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread that fills the pool."""
        if self._entries:
            self._thread = start_background(self._keep_filled, stop=self._closed)

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome | None:
        """Run this step in a waiting slot. None: no slot is ready for it, or the sandbox failed."""
        entry = self._take(spec)
        if entry is None or entry.slot is None:
            return None
        try:
            return entry.slot.answer(spec, cancel_fd=cancel_fd)
        except JailError as error:
            # A failed run has no effect outside its slot, so the caller can run the program again elsewhere.
            entry.log("waiting command failed", error)
            return None
        finally:
            with self._changed:
                entry.is_busy = False
                self._postpone(entry)

    def close(self) -> None:
        """Close all slots. This kills a run that is still going on."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        for entry in self._entries:
            entry.close()

    def _take(self, spec: JailSpec) -> _Entry | None:
        with self._changed:
            for entry in self._entries:
                if entry.spec.waiting != spec.waiting or entry.is_busy or self._closed.is_set():
                    continue
                if entry.is_ready_for(spec):
                    entry.is_busy = True
                    return entry
                if entry.start_at < inf or (entry.slot is not None and not entry.slot.healthy):
                    self._postpone(entry)
        return None

    def _postpone(self, entry: _Entry) -> None:
        """Delay the next start until QUIET_SECS without a request. A failed start keeps its later retry time."""
        quiet_at = monotonic() + QUIET_SECS
        entry.start_at = quiet_at if entry.start_at == inf else max(entry.start_at, quiet_at)
        self._changed.notify_all()

    def _keep_filled(self) -> None:
        """Start commands that are due, until the pool is closed."""
        while (entry := self._next_due()) is not None:
            entry.start(self._opener)
            with self._changed:
                entry.is_busy = False

    def _next_due(self) -> _Entry | None:
        """Wait until an entry needs a command, and take it. None: closed."""
        with self._changed:
            while not self._closed.is_set():
                idle = [entry for entry in self._entries if not entry.is_busy]
                entry = min(idle, key=lambda entry: entry.start_at, default=None)
                left_secs = inf if entry is None else entry.start_at - monotonic()
                if entry is not None and left_secs <= 0:
                    entry.is_busy = True
                    return entry
                self._changed.wait(None if left_secs == inf else left_secs)
            return None
