"""Run the steps of one request. On a busy host they may take longer, within one overtime for all of them.

The sweeper takes a run for lost after compile + wall + 60 s, so the overtime is well below 60 s.
"""

import logging
from dataclasses import replace
from typing import Protocol

from events.vocabulary import Phase
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor.report import slot_is_suspect
from sandbox_runtime.executor.run_stop import RunStop
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason

MOST_OVERTIME_SECS = 30.0

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
        """Run a step. Raises JailError and ExecutionDrainedError."""
        outcome = self.jail.answer(self.with_overtime(spec), cancel_fd=None if self.stop is None else self.stop.fd)
        if was_drained(outcome, self.stop):
            raise ExecutionDrainedError
        return outcome, self.classified(spec, outcome, phase)

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
