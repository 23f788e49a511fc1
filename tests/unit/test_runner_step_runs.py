"""Steps on a busy host take longer, within one overtime for all steps of a request."""

import pytest

from events.vocabulary import Phase
from sandbox_runtime.executor import ExecutionDrainedError, slot_is_suspect
from sandbox_runtime.executor.report import result
from sandbox_runtime.executor.run_stop import RunStop
from sandbox_runtime.executor.step_runs import MOST_OVERTIME_SECS, StepRuns
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome, StopReason
from tests.runner_doubles import CANCELLED, CLEAN, RecordedSlot, outcome

WALL_USEC = 5_000_000
SPEC = JailSpec(("/usr/bin/true",), Limits(1, WALL_USEC / 1e6, 64 << 20, 4, 16, 1 << 20, 1000))


def over(secs: float, stop_reason: StopReason = StopReason.NONE, *, is_lost: bool = True) -> Outcome:
    """A step that went on for so long beyond its wall limit."""
    usec = WALL_USEC + int(secs * 1e6)
    ended = 0 if stop_reason is StopReason.NONE else None
    return outcome(exit_code=ended, stop_reason=stop_reason, wall_usec=usec, cpu_wait_usec=usec // 2 * is_lost)


def test_all_steps_of_a_request_share_one_overtime() -> None:
    slot = RecordedSlot(over(10), over(15), over(100), CLEAN)
    steps = StepRuns(slot, None)
    for phase in (Phase.COMPILE, Phase.COMPILE, Phase.RUN, Phase.RUN):
        steps.run(SPEC, phase)
    assert [spec.overtime_secs for spec in slot.specs] == [MOST_OVERTIME_SECS, 20, 5, 0]


def test_a_cancelled_guest_that_cannot_be_killed_is_not_run_again() -> None:
    with pytest.raises(ExecutionDrainedError):
        StepRuns(RecordedSlot(CANCELLED), None).run(SPEC, Phase.RUN)
    left = {"cleanup_verified": False, "leftover_processes": 2}
    slot = RecordedSlot(outcome(exit_code=None, stop_reason=StopReason.CANCELLED, evidence=left))
    assert StepRuns(slot, None).run(SPEC, Phase.RUN)[1].cause == "ie_cleanup_failure"


def test_a_run_that_its_project_stopped_has_a_result() -> None:
    found = StepRuns(RecordedSlot(CANCELLED), RunStop(0, is_cancelled=True)).run(SPEC, Phase.RUN)[1]
    assert (found.verdict, found.cause, found.signal, found.exit_code) == ("SIG", "cancelled", 9, None)


def test_a_late_kill_on_a_calm_host_uses_no_overtime() -> None:
    slot = RecordedSlot(over(0.1, StopReason.WALL_LIMIT, is_lost=False))
    steps = StepRuns(slot, None)
    assert steps.run(SPEC, Phase.RUN)[1].cause == "tle_wall_judge"
    assert steps.overtime_secs == MOST_OVERTIME_SECS


def test_a_step_whose_overtime_is_over_is_no_fault_of_the_program_or_the_slot_and_is_not_repeated() -> None:
    slot = RecordedSlot(over(MOST_OVERTIME_SECS, StopReason.HOST_OVERLOADED))
    steps = StepRuns(slot, None)
    found = steps.run(SPEC, Phase.RUN)[1]
    assert (found.verdict, found.cause) == ("IE", "ie_host_overloaded")
    assert not slot_is_suspect(result(found))
    assert not steps.is_slot_suspect
    assert len(slot.specs) == 1
