"""The data slot: its template has imported numpy and others. All slots of a runner share it, one run at a time.

It is opened when the first run wants it, which itself goes on without it, and closed after IDLE_SECS without one.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic

from sandbox_runtime.background import start_background
from sandbox_runtime.jail import JailError, JailSpec, Slot
from sandbox_runtime.prewarm.run_shape import can_be_prewarmed, shape_of

# A template holds 180 MB, and another one takes two seconds of one core.
IDLE_SECS = 300.0
RETRY_SECS = 30.0
# All runs of a template share one address layout and one hash seed.
_RUNS_PER_TEMPLATE = 1000

_LOG = logging.getLogger(__name__)


class DataSlot:
    """Safe for threads. `opener()` opens the slot; it raises JailError.

    `wants(spec)`: whether a run seems to import the packages. The next run is set up in the shape of the last one.
    """

    def __init__(self, opener: Callable[[], Slot], wants: Callable[[JailSpec], bool]) -> None:
        self._opener, self._wants = opener, wants
        self._shape: JailSpec | None = None
        self._slot: Slot | None = None
        self._is_free = False  # pre-warmed, and lent to nobody
        self._is_returned = False
        self._wanted_at: float | None = None
        self._open_at = 0.0
        self._changed = Condition()
        self._closed = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread that opens, pre-warms and closes the slot."""
        self._thread = start_background(self._serve, stop=self._closed)

    def borrow(self, spec: JailSpec) -> Slot | None:
        """Lend the slot for one run, until `give_back`. None: this run does not want it, or it is not free."""
        if not self._wants(spec):
            return None
        with self._changed:
            self._wanted_at, self._shape = monotonic(), shape_of(spec)
            if self._is_free and not self._closed.is_set():
                self._is_free = False
                return self._slot
            self._changed.notify_all()
        return None

    def give_back(self) -> None:
        """Take the slot back. The files of its last run are gone after this."""
        with self._changed:
            self._is_returned = True
            self._changed.notify_all()

    def close(self) -> None:
        """Close the slot. This kills a run that is still going on."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._close_slot()

    def _serve(self) -> None:
        while (step := self._next_step()) is not None:
            step()

    def _next_step(self) -> Callable[[], None] | None:
        """Wait for something to do. None: closed."""
        with self._changed:
            while not self._closed.is_set():
                now = monotonic()
                if self._slot is None and self._wanted_at is not None and now >= self._open_at:
                    return self._prepare
                if self._is_returned:
                    self._is_returned = False
                    return self._prepare
                if self._is_free and self._wanted_at is not None and now >= self._wanted_at + IDLE_SECS:
                    self._is_free, self._wanted_at = False, None
                    return self._close_slot
                self._changed.wait(self._secs_to_wait(now))
        return None

    def _secs_to_wait(self, now: float) -> float | None:
        if self._wanted_at is None:
            return None
        due = self._open_at if self._slot is None else self._wanted_at + IDLE_SECS
        return due - now if due > now else None

    def _prepare(self) -> None:
        """Make the slot ready for a run, in a new template if it must be. Nobody has the slot meanwhile."""
        try:
            if self._slot is not None and not (self._slot.healthy and self._slot.runs < _RUNS_PER_TEMPLATE):
                self._close_slot()
            if self._slot is None:
                self._slot = self._opener()
            self._slot.settle()
            _refuse_threads(self._slot)
            shape = self._shape
            if shape is not None and can_be_prewarmed(shape):
                self._slot.prewarm(shape)
        except (JailError, OSError) as error:
            _LOG.warning("data slot not opened", extra={"reason": str(error)})
            self._close_slot()
            self._open_at = monotonic() + RETRY_SECS
        else:
            with self._changed:
                self._is_free = True

    def _close_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()


def _refuse_threads(slot: Slot) -> None:
    """Raise JailError unless the template has exactly one thread: a fork would have its locks, but not the others."""
    count = len(list(Path(f"/proc/{slot.template_pid}/task").iterdir()))
    if count != 1:
        raise JailError("fork the template", hint=f"it has {count} threads")
