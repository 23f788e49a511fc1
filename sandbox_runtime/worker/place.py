"""A slot that is ready for the next run: replaced when it broke or is worn, with a run staged in it."""

import logging
from collections.abc import Callable
from threading import Event, Lock
from typing import Protocol

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.transport import Backoff

# All runs of a template share its address layout and hash seed: an attacker may not try for ever.
RUNS_PER_TEMPLATE = 1000

_LOG = logging.getLogger(__name__)


class ClosableSlot(Protocol):
    """What the worker needs of a slot."""

    @property
    def healthy(self) -> bool:
        """Whether it may be used again."""
        ...

    @property
    def runs(self) -> int:
        """How many runs were begun in it."""
        ...

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one step; its sandbox may still be taken down when this returns. Raises JailError."""
        ...

    def settle(self) -> None:
        """Wait until nothing of the last run is left. Raises JailError."""
        ...

    def stage(self, spec: JailSpec) -> None:
        """Prepare for a run like this one. Raises JailError."""
        ...

    def close(self) -> None:
        """End everything of the slot."""
        ...


class Place:
    """Owns one slot at a time. `staged`: the run to get ready for when there is nothing to do."""

    def __init__(self, index: int, opener: Callable[[int], ClosableSlot], staged: JailSpec | None = None) -> None:
        self.index = index
        self._opener = opener
        self._staged = staged
        self._is_closed = False
        self._opening = Lock()  # a slot that is opened while the worker stops must be closed too
        self.slot = self._open()

    def get_ready(self, stop: Event, *, is_usable: bool = True) -> bool:
        """To be called behind each answer, and once at the start. False: `stop` came before there was a good slot."""
        if not is_usable or self.slot.runs >= RUNS_PER_TEMPLATE:
            return self._replace(stop)
        return self._stage() or self._replace(stop)

    def _stage(self) -> bool:
        try:
            self.slot.settle()
            if self._staged is not None:
                self.slot.stage(self._staged)
        except JailError as error:
            self._log("slot not ready", error)
            return False
        return True

    def _replace(self, stop: Event) -> bool:
        """Close the slot and open another, trying until it succeeds."""
        backoff = Backoff()
        is_worn = self.slot.healthy
        self.slot.close()
        while not stop.is_set():
            try:
                with self._opening:
                    if self._is_closed:
                        return False
                    self.slot = self._open()
            except JailError as error:
                self._log("slot not opened", error)
            else:
                _LOG.log(logging.DEBUG if is_worn else logging.INFO, "slot replaced", extra={"slot": self.index})
                if self._stage():
                    return True
            stop.wait(backoff.next_delay_secs())
        return False

    def _open(self) -> ClosableSlot:
        """Raises JailError, whatever the host ran out of: the thread that waits for a slot holds its permit."""
        try:
            return self._opener(self.index)
        except OSError as error:
            raise JailError("open slot", errno=error.errno or 0) from error

    def _log(self, phrase: str, error: JailError) -> None:
        extra = {"slot": self.index, "step": error.step, "target": error.target, "errno": error.errno}
        _LOG.error(phrase, extra=extra)

    def close(self) -> None:
        """Close the slot for good. Waits for one that is being opened."""
        with self._opening:
            self._is_closed = True
            self.slot.close()
