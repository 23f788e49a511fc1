"""Run the steps of one request. Retry one step when the overloaded host kept it from the CPUs.

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
from sandbox_runtime.executor.report import slot_is_suspect
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason

_LONGEST_WAIT_SECS = 3.0
_LOOK_MS = 50
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
    """The attempts of one request. `cancel_fd`: becomes readable to stop it. `retries_left`: for all its steps.

    `is_slot_suspect`: the platform failed in a step, perhaps because of the slot.
    """

    def __init__(self, jail: Jail, cancel_fd: int | None, retries_left: int = 1) -> None:
        self.jail, self.cancel_fd = jail, cancel_fd
        self.retries_left = retries_left
        self.is_slot_suspect = False

    def run(self, spec: JailSpec, phase: Phase) -> tuple[Outcome, Classification]:
        """Run a step. Repeat it if the host was overloaded. Raises JailError and ExecutionCancelledError."""
        outcome, found = self._try(spec, phase)
        while self.may_repeat(outcome, found):
            outcome, found = self._try(spec, phase)
        return outcome, found

    def may_repeat(self, outcome: Outcome, found: Classification) -> bool:
        """Whether a step is to be repeated, because the host was overloaded. Waits for a free CPU first."""
        if found.cause != OVERLOADED or not self.retries_left:
            return False
        self.retries_left -= 1
        is_calm = await_calm(self.cancel_fd)
        facts = {"step": found.phase.value, "cpu_wait_ms": outcome.cpu_wait_usec // 1000, "calm": is_calm}
        _LOG.warning("host overloaded, running a step again", extra=facts)
        return True

    def _try(self, spec: JailSpec, phase: Phase) -> tuple[Outcome, Classification]:
        outcome = self.jail.answer(spec, cancel_fd=self.cancel_fd)
        if outcome.stop_reason is StopReason.CANCELLED:
            raise ExecutionCancelledError
        return outcome, self.classified(outcome, phase)

    def classified(self, outcome: Outcome, phase: Phase = Phase.RUN) -> Classification:
        """Classify the outcome of a step, and note whether its slot is suspect."""
        found = classify(outcome, phase)
        self.is_slot_suspect |= slot_is_suspect(found)
        return found


def await_calm(cancel_fd: int | None) -> bool:
    """Wait up to _LONGEST_WAIT_SECS for a free CPU. False: none became free, or the run is cancelled."""
    end, calm_looks = time.monotonic() + _LONGEST_WAIT_SECS, 0
    cancels = select.poll()
    if cancel_fd is not None:
        cancels.register(cancel_fd, select.POLLIN)
    while calm_looks < _CALM_LOOKS:
        if time.monotonic() >= end or cancels.poll(_LOOK_MS):
            return False
        calm_looks = calm_looks + 1 if _runnable_threads() <= _CPUS else 0
    return True


def _runnable_threads() -> int:
    """Count the runnable threads of the host, with the caller: proc_loadavg(5)."""
    return int(_LOADAVG.read_text().split()[3].partition("/")[0])
