"""A slot that is replaced when it broke."""

import logging
from collections.abc import Callable
from threading import Event
from typing import Protocol

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.transport import Backoff

_LOG = logging.getLogger(__name__)


class ClosableSlot(Protocol):
    """What the worker needs of a slot."""

    healthy: bool

    def run(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one step. Raises JailError."""
        ...

    def close(self) -> None:
        """End everything of the slot."""
        ...


class Place:
    """Owns one slot at a time."""

    def __init__(self, index: int, opener: Callable[[int], ClosableSlot]) -> None:
        self.index = index
        self._opener = opener
        self.slot = opener(index)

    def replace(self, stop: Event) -> bool:
        """Close the slot and open another, trying until it succeeds. False: `stop` came first."""
        backoff = Backoff()
        self.slot.close()
        while not stop.is_set():
            try:
                self.slot = self._opener(self.index)
            except JailError as error:
                extra = {"slot": self.index, "step": error.step, "target": error.target, "errno": error.errno}
                _LOG.error("slot not opened", extra=extra)
                stop.wait(backoff.next_delay_secs())
            else:
                _LOG.info("slot replaced", extra={"slot": self.index})
                return True
        return False

    def close(self) -> None:
        """Close the slot."""
        self.slot.close()
