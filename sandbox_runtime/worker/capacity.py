"""Which free slot may be used for which work, so that interactive work never waits behind batch work.

A permit is a slot. With two slots or more, batch work never takes the last free one, nor any that interactive work
waits for. A long poll of a queue needs a free slot to begin, but does not hold it: a run that is asked for directly
may take it meanwhile, and then a message that the poll brings waits for the next free slot.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class Priority(StrEnum):
    """Who waits: somebody, or nobody."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(eq=False, slots=True)
class _Waiter:
    """One who waits for up to `most` permits; 0: only until there is one. `served` can be acquired when he has them."""

    most: int
    served: Lock = field(default_factory=Lock)
    taken: int = 0
    is_served: bool = False


class Capacity:
    """Permits for the slots of one worker. `on_release` is called outside the lock when something was given back.

    Within a priority whoever came first is served first.
    """

    def __init__(self, slots: int, on_release: Callable[[], None] = lambda: None) -> None:
        self._slots = slots
        self._free = slots
        self._kept_from_batch = 1 if slots > 1 else 0
        self._waiting: dict[Priority, deque[_Waiter]] = {priority: deque() for priority in Priority}
        self._polls = 0
        self._closed = False
        self._lock = Lock()
        self._on_release = on_release

    def acquire(self, priority: Priority, most: int, *, wait_secs: float | None = None) -> int:
        """Wait for at least one permit and take up to `most`. 0: closed, or there was none within `wait_secs`."""
        return self._wait(priority, _Waiter(most), wait_secs).taken

    def release(self, count: int = 1) -> None:
        """Give permits back."""
        with self._lock:
            self._free += count
            self._serve()
        self._on_release()

    def begin_poll(self, priority: Priority) -> bool:
        """Wait until a message could be run at once. False: closed. Else `end_poll` must follow."""
        if not self._wait(priority, _Waiter(0), None).is_served:
            return False
        with self._lock:
            if self._closed:
                return False
            self._polls += 1
            return True

    def end_poll(self) -> None:
        """The poll is over and what it brought has its permits, or was given back."""
        with self._lock:
            self._polls -= 1
        self._on_release()

    def close(self) -> None:
        """Give out no more permits."""
        with self._lock:
            self._closed = True
            for waiting in self._waiting.values():
                while waiting:
                    waiting.popleft().served.release()

    @property
    def is_idle(self) -> bool:
        """No permit is out and no poll under way: nothing runs and nothing is being received."""
        with self._lock:
            return self._free == self._slots and self._polls == 0

    def _wait(self, priority: Priority, waiter: _Waiter, wait_secs: float | None) -> _Waiter:
        with self._lock:
            if self._closed:
                return waiter
            waiter.served.acquire()
            self._waiting[priority].append(waiter)
            self._serve()
        if waiter.is_served or waiter.served.acquire(timeout=-1 if wait_secs is None else wait_secs):
            return waiter
        with self._lock:
            if waiter in self._waiting[priority]:  # else it was served, or all was closed, at the last moment
                self._waiting[priority].remove(waiter)
                self._serve()
        return waiter

    def _serve(self) -> None:
        """Give what is free to those who may have it. The caller holds the lock."""
        for priority, kept in ((Priority.INTERACTIVE, 0), (Priority.BATCH, self._kept_from_batch)):
            waiting = self._waiting[priority]
            while waiting and (available := self._free - kept) > 0:
                waiter = waiting.popleft()
                waiter.taken = min(waiter.most, available)
                waiter.is_served = True
                self._free -= waiter.taken
                waiter.served.release()
            if waiting:
                return
