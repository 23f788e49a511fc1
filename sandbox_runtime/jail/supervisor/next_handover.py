"""The descriptors of a slot's next run, opened behind the answer to the last one."""

from contextlib import suppress

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.supervisor.handover import Handover


class HandoverAhead:
    """Owns one that nobody has taken yet; close it. `owner`: as for `Handover`."""

    def __init__(self, owner: int | None) -> None:
        self._owner = owner
        self._next: Handover | None = None
        self._is_closed = False

    def take(self) -> Handover:
        """One for one run, the caller's from here on. Raises JailError."""
        ready, self._next = self._next, None
        return Handover(self._owner) if ready is None else ready

    def make(self) -> None:
        """Open the next one, if there is none. Where that fails, the next run tries again, and says why."""
        if self._next is None:
            with suppress(JailError):
                self._next = Handover(self._owner)
        if self._is_closed:  # by another thread, which may have looked before it was there
            self._drop()

    def _drop(self) -> None:
        unused, self._next = self._next, None
        if unused is not None:
            unused.close()

    def close(self) -> None:
        """Nothing is opened from here on."""
        self._is_closed = True
        self._drop()
