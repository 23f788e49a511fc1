"""Which free slot may be used for which queue, so that interactive work never waits behind batch work.

A permit is taken before a message is received: a runner only receives what it can run at once. With two slots or
more, batch work never takes the last one, and while the interactive poller waits for a slot, batch does not get it.
"""

from collections.abc import Callable
from enum import StrEnum
from threading import Condition


class Priority(StrEnum):
    """The two submission queues."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Capacity:
    """Permits for the slots of one worker. `on_release` is called after every release, outside the lock."""

    def __init__(self, slots: int, on_release: Callable[[], None] = lambda: None) -> None:
        self._slots = slots
        self._free = slots
        self._batch_left = max(1, slots - 1)
        self._interactive_waits = False
        self._closed = False
        self._changed = Condition()
        self._on_release = on_release

    def acquire(self, priority: Priority, most: int) -> int:
        """Wait for at least one permit and take up to `most`. 0: the capacity was closed."""
        with self._changed:
            is_interactive = priority is Priority.INTERACTIVE
            self._interactive_waits = self._interactive_waits or is_interactive
            self._changed.wait_for(lambda: self._closed or self._available(priority) > 0)
            if is_interactive:
                self._interactive_waits = False
                self._changed.notify_all()
            if self._closed:
                return 0
            taken = min(most, self._available(priority))
            self._free -= taken
            if not is_interactive:
                self._batch_left -= taken
            return taken

    def release(self, priority: Priority, count: int = 1) -> None:
        """Give permits back."""
        with self._changed:
            self._free += count
            if priority is Priority.BATCH:
                self._batch_left += count
            self._changed.notify_all()
        self._on_release()

    def close(self) -> None:
        """Give out no more permits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """No permit is out: nothing runs and nothing is being received."""
        with self._changed:
            return self._free == self._slots

    def _available(self, priority: Priority) -> int:
        if priority is Priority.INTERACTIVE:
            return self._free
        return 0 if self._interactive_waits else min(self._free, self._batch_left)
