"""Second slots, for interactors: opened when the first one is needed, and kept for the next interaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.managed_slot import RUNS_PER_TEMPLATE

MOST_PARTNERS = 16


class PartnerSlots:
    """Safe for threads. `opener(index)` opens a slot; it raises JailError."""

    def __init__(self, opener: Callable[[int], WarmSlot]) -> None:
        self._opener = opener
        self._permits = BoundedSemaphore(MOST_PARTNERS)
        self._free = list(range(MOST_PARTNERS))
        self._idle: dict[int, WarmSlot] = {}
        self._lock = Lock()

    @contextmanager
    def borrow(self) -> Iterator[WarmSlot]:
        """Lend a slot for one run. Waits while MOST_PARTNERS are lent. Raises JailError."""
        with self._permits:
            with self._lock:
                index = self._free.pop()
                slot = self._idle.pop(index, None)
            try:
                if slot is None:
                    slot = self._opener(index)
                yield slot
                slot.settle()
            except OSError as error:
                raise JailError("open slot", errno=error.errno or 0) from error
            finally:
                self._take_back(index, slot)

    def _take_back(self, index: int, slot: WarmSlot | None) -> None:
        is_usable = slot is not None and slot.healthy and slot.runs < RUNS_PER_TEMPLATE
        if slot is not None and not is_usable:
            slot.close()
        with self._lock:
            if slot is not None and is_usable:
                self._idle[index] = slot
            self._free.append(index)  # last in, first out: an idle slot is used again before another one is opened

    def close(self) -> None:
        """Close the idle slots. Call it when no slot is lent."""
        with self._lock:
            for slot in self._idle.values():
                slot.close()
            self._idle.clear()
