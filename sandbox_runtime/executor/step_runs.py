"""Run the steps of one request. On an overloaded host they may take longer, within one overtime for all of them.

On a busy host a step goes on beyond its wall limit. One that a host without memory killed runs again.
The sweeper takes a run for lost after compile + wall + 60 s, so the overtime is well below 60 s.
"""

import logging
import select
from dataclasses import replace
from typing import Protocol

from events.vocabulary import Cause, Phase
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor.report import slot_is_suspect
from sandbox_runtime.executor.run_stop import RunStop
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason

MOST_OVERTIME_SECS = 30.0
REPEAT_PAUSES_SECS = (0.5, 2.0)
"""Before each repeat of a step: other programs of the host may end meanwhile."""

_LOG = logging.getLogger(__name__)


class ExecutionDrainedError(Exception):
    """The runner drains, so it stopped the run. It has no result, and the request must be run again."""


def was_drained(outcome: Outcome, stop: RunStop | None) -> bool:
    """Whether the run was stopped and must run again. A guest that cannot be killed must not run again."""
    is_stopped = outcome.stop_reason is StopReason.CANCELLED and outcome.evidence.cleanup_verified
    return is_stopped and (stop is None or not stop.is_cancelled)


class Jail(Protocol):
    """A slot, or a test's replacement."""

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one step. The sandbox may still be cleaned up when this returns. Raises JailError."""
        ...


class StepRuns:
    """The steps of one request. `stop`: stops it. `overtime_secs`: what is left for all steps.

    `is_slot_suspect`: the platform failed in a step, perhaps because of the slot.
    """

    def __init__(self, jail: Jail, stop: RunStop | None, overtime_secs: float = MOST_OVERTIME_SECS) -> None:
        self.jail, self.stop = jail, stop
        self.overtime_secs = overtime_secs
        self.is_slot_suspect = False

    def run(self, spec: JailSpec, phase: Phase) -> tuple[Outcome, Classification]:
        """Run a step, again if `must_repeat`. With network it runs once: its hosts would see its requests again.

        Raises JailError and ExecutionDrainedError.
        """
        repeats = 0
        while True:
            outcome = self.jail.answer(self.with_overtime(spec), cancel_fd=None if self.stop is None else self.stop.fd)
            if was_drained(outcome, self.stop):
                raise ExecutionDrainedError
            found = self.classified(spec, outcome, phase)
            if spec.net_namespace is not None or not self.must_repeat(outcome, found, repeats):
                return outcome, found
            repeats += 1

    def must_repeat(self, outcome: Outcome, found: Classification, repeats: int) -> bool:
        """Whether to run a step again, after `repeats` repeats: a host without memory killed it. If so, wait first."""
        is_killed_by_host = found.cause is Cause.IE_HOST_OVERLOADED and outcome.stop_reason is StopReason.OOM_KILL
        if not is_killed_by_host or repeats >= len(REPEAT_PAUSES_SECS):
            return False
        pause_secs = REPEAT_PAUSES_SECS[repeats]
        used_secs = pause_secs + outcome.wall_usec / 1e6
        _LOG.warning("host out of memory, a step was killed", extra={"step": found.phase.value})
        if used_secs > self.overtime_secs:
            return False
        self.overtime_secs -= used_secs
        _sleep_or_stop(pause_secs, self.stop)
        return True

    def with_overtime(self, spec: JailSpec) -> JailSpec:
        """Let a step use the overtime that is left."""
        return replace(spec, overtime_secs=self.overtime_secs)

    def classified(self, spec: JailSpec, outcome: Outcome, phase: Phase = Phase.RUN) -> Classification:
        """Classify the outcome of a step, subtract its overtime, and note whether its slot is suspect."""
        over_secs = outcome.wall_usec / 1e6 - spec.limits.wall_time_secs
        if over_secs > 0 and outcome.own_wall_usec < outcome.wall_usec:
            self.overtime_secs = max(0.0, self.overtime_secs - over_secs)
            facts = {"step": phase.value, "cpu_wait_ms": outcome.cpu_wait_usec // 1000, "overtime_ms": over_secs * 1000}
            _LOG.warning("host overloaded, a step took longer", extra=facts)
        return self.note(outcome, phase)

    def note(self, outcome: Outcome, phase: Phase = Phase.RUN) -> Classification:
        """Classify the outcome of a program beside a step, and note whether its slot is suspect."""
        found = classify(outcome, phase)
        self.is_slot_suspect |= slot_is_suspect(found)
        return found


def _sleep_or_stop(secs: float, stop: RunStop | None) -> None:
    """Wait, until the request is stopped."""
    poll = select.poll()
    if stop is not None:
        poll.register(stop.fd, select.POLLIN)
    poll.poll(secs * 1000)
