"""Open the descriptors of a slot's next run in advance, after the answer to the last one."""

from contextlib import suppress

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.supervisor.run_io import RunIO


class NextRunIO:
    """Owns the `RunIO` of the next run until `take`. Close it. `owner`: as for `RunIO`."""

    def __init__(self, owner: int | None) -> None:
        self._owner = owner
        self._next: RunIO | None = None
        self._is_closed = False

    def take(self) -> RunIO:
        """Hand out a `RunIO`, which the caller then owns. Raises JailError."""
        ready, self._next = self._next, None
        return RunIO(self._owner) if ready is None else ready

    def make(self) -> None:
        """Open the next one, if there is none. After a failure `take` tries again and raises the error."""
        if self._next is None:
            with suppress(JailError):
                self._next = RunIO(self._owner)
        if self._is_closed:  # another thread closed this meanwhile, perhaps before `_next` was set
            self._drop()

    def _drop(self) -> None:
        unused, self._next = self._next, None
        if unused is not None:
            unused.close()

    def close(self) -> None:
        """Close the next one. Later calls of `make` open nothing."""
        self._is_closed = True
        self._drop()
