"""Run the steps of one request. Retry one step once when the overloaded host kept it from the CPUs.

With one retry a request takes at most twice its wall time and the wait for a free CPU.
That is shorter than the time after which the sweeper takes a run for lost (compile + wall + 60 s).
"""

import logging
import os
import select
import time
from pathlib import Path
from typing import Protocol

from sandbox_runtime.classify import OVERLOADED, Classification, Phase, classify
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason

_LONGEST_WAIT_SECS = 3.0
_LOOK_SECS = 0.05
_CALM_LOOKS = 4  # so many in a row
_LOADAVG = Path("/proc/loadavg")
_CPUS = os.cpu_count() or 1

_LOG = logging.getLogger(__name__)


class ExecutionCancelledError(Exception):
    """The run was cancelled. It has no result, and the request must be run again."""


class Jail(Protocol):
    """A slot, or a test's replacement."""

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one step. The sandbox may still be cleaned up when this returns. Raises JailError."""
        ...


class Attempts:
    """The attempts of one request. `cancel_fd`: becomes readable to stop it. `retries_left`: for all its steps."""

    def __init__(self, jail: Jail, cancel_fd: int | None, retries_left: int = 1) -> None:
        self._jail, self._cancel_fd = jail, cancel_fd
        self.retries_left = retries_left

    def run(self, spec: JailSpec, phase: Phase) -> tuple[Outcome, Classification]:
        """Run a step, and retry it once if the host was overloaded. Raises JailError and ExecutionCancelledError."""
        outcome, found = self._try(spec, phase)
        if found.cause != OVERLOADED or not self.retries_left:
            return outcome, found
        self.retries_left -= 1
        is_calm = await_calm(self._cancel_fd)
        facts = {"step": phase.value, "cpu_wait_ms": outcome.cpu_wait_usec // 1000, "calm": is_calm}
        _LOG.warning("host overloaded, running a step again", extra=facts)
        return self._try(spec, phase)

    def _try(self, spec: JailSpec, phase: Phase) -> tuple[Outcome, Classification]:
        outcome = self._jail.answer(spec, cancel_fd=self._cancel_fd)
        if outcome.stop_reason is StopReason.CANCELLED:
            raise ExecutionCancelledError
        return outcome, classify(outcome, phase)


def await_calm(cancel_fd: int | None) -> bool:
    """Wait up to _LONGEST_WAIT_SECS for a free CPU. False: none became free, or the run is cancelled."""
    end, calm_looks = time.monotonic() + _LONGEST_WAIT_SECS, 0
    cancels = [] if cancel_fd is None else [cancel_fd]
    while calm_looks < _CALM_LOOKS:
        if time.monotonic() >= end or select.select(cancels, [], [], _LOOK_SECS)[0]:
            return False
        calm_looks = calm_looks + 1 if _runnable_threads() <= _CPUS else 0
    return True


def _runnable_threads() -> int:
    """Count the runnable threads of the host, with the caller: proc_loadavg(5)."""
    return int(_LOADAVG.read_text().split()[3].partition("/")[0])
