"""Keep one jail slot usable: replace it after a failure or after RUNS_PER_TEMPLATE runs, and pre-warm its next run."""

import logging
from collections.abc import Callable
from threading import Event, Lock

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.retry import Backoff

# All runs of a template share its address layout and hash seed. A bound limits the guesses of an attacker.
RUNS_PER_TEMPLATE = 1000

_LOG = logging.getLogger(__name__)


class ManagedSlot:
    """Owns one slot at a time. `prewarmed`: the run to set up in advance while the slot is idle."""

    def __init__(self, index: int, opener: Callable[[int], PrewarmedSlot], prewarmed: JailSpec | None = None) -> None:
        self.index = index
        self._opener = opener
        self._prewarmed = prewarmed
        self._is_closed = False
        self._opening = Lock()  # `close` must not miss a slot that another thread is just opening
        self.slot = self._open()

    def get_ready(self, stop: Event, *, is_usable: bool = True) -> bool:
        """Make the slot ready for the next run. Call it at the start and after each run.

        False: `stop` was set before a usable slot could be opened.
        """
        if not is_usable or not self.slot.healthy or self.slot.runs >= RUNS_PER_TEMPLATE:
            return self._replace(stop)
        return self._prewarm() or self._replace(stop)

    def _prewarm(self) -> bool:
        try:
            self.slot.settle()
            if self._prewarmed is not None:
                self.slot.prewarm(self._prewarmed)
        except JailError as error:
            self._log("slot not ready", error)
            return False
        return True

    def _replace(self, stop: Event) -> bool:
        """Close the slot and open another one. Retries with backoff until `stop`."""
        backoff = Backoff()
        is_planned = self.slot.healthy
        while not stop.is_set():
            self.slot.close()  # also a new one that could not prewarm: its template and its groups would stay
            try:
                with self._opening:
                    if self._is_closed:
                        return False
                    self.slot = self._open()
            except JailError as error:
                self._log("slot not opened", error)
            else:
                _LOG.log(logging.DEBUG if is_planned else logging.INFO, "slot replaced", extra={"slot": self.index})
                if self._prewarm():
                    return True
            stop.wait(backoff.next_delay_secs())
        return False

    def _open(self) -> PrewarmedSlot:
        """Raises JailError for every failure, so that `_replace` retries: another error would end the slot's thread."""
        try:
            return self._opener(self.index)
        except OSError as error:
            raise JailError("open slot", errno=error.errno or 0) from error

    def _log(self, phrase: str, error: JailError) -> None:
        facts = {"step": error.step, "target": error.target, "errno": error.errno, "problem": error.hint}
        _LOG.error(phrase, extra={"slot": self.index, **facts})

    def close(self) -> None:
        """Close the slot for good. Waits while another thread opens one."""
        with self._opening:
            self._is_closed = True
            self.slot.close()
