"""The slots of interactors: one is opened when it is needed, and kept for later interactions until it is idle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from time import monotonic

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.worker.slots.managed_slot import RUNS_PER_TEMPLATE

MOST_INTERACTORS = 16
# An idle slot holds the memory of a template; another one takes a sixth of a second of one core.
IDLE_SECS = 300.0


class InteractorSlots:
    """Safe for threads. `opener(index)` opens a slot; it raises JailError."""

    def __init__(self, opener: Callable[[int], PrewarmedSlot], clock: Callable[[], float] = monotonic) -> None:
        self._opener = opener
        self._clock = clock
        self._permits = BoundedSemaphore(MOST_INTERACTORS)
        self._free = list(range(MOST_INTERACTORS))
        self._idle: dict[int, tuple[PrewarmedSlot, float]] = {}  # since when
        self._lock = Lock()

    @contextmanager
    def borrow(self) -> Iterator[PrewarmedSlot]:
        """Lend a slot for one run. Waits while MOST_INTERACTORS are lent. Raises JailError."""
        with self._permits:
            with self._lock:
                index = self._free.pop()
                slot, _ = self._idle.pop(index, (None, 0.0))
            try:
                if slot is None:
                    slot = self._opener(index)
                yield slot
                slot.settle()
            except OSError as error:
                raise JailError("open slot", errno=error.errno or 0) from error
            finally:
                self._take_back(index, slot)

    def _take_back(self, index: int, slot: PrewarmedSlot | None) -> None:
        is_usable = slot is not None and slot.healthy and slot.runs < RUNS_PER_TEMPLATE
        try:
            if slot is not None and not is_usable:
                slot.close()
        finally:
            with self._lock:
                if slot is not None and is_usable:
                    self._idle[index] = slot, self._clock()
                self._free.append(index)  # last in, first out: an idle slot is used again before another one is opened

    def drop_idle(self) -> None:
        """Close the slots that were idle for IDLE_SECS. Call it from time to time."""
        self._close_idle_until(self._clock() - IDLE_SECS)

    def close(self) -> None:
        """Close the idle slots. Call it when no slot is lent."""
        self._close_idle_until(self._clock())

    def _close_idle_until(self, at: float) -> None:
        with self._lock:  # meanwhile nobody opens a slot with the same index
            for index, (slot, since) in list(self._idle.items()):
                if since <= at:
                    del self._idle[index]
                    slot.close()
