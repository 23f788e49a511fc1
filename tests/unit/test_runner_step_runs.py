"""Steps on an overloaded host take longer, or run again, within one overtime for all steps of a request."""

import os
from dataclasses import replace

import pytest

from events.vocabulary import Phase
from sandbox_runtime.executor import ExecutionDrainedError, slot_is_suspect, step_runs
from sandbox_runtime.executor.report import result
from sandbox_runtime.executor.step_runs import MOST_OVERTIME_SECS, RunStop, StepRuns
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


KILLED_BY_HOST = outcome(
    exit_code=None, stop_reason=StopReason.OOM_KILL, wall_usec=1_000_000, usage={"oom_kill_events": 1, "oom_events": 0}
)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_runs, "REPEAT_PAUSES_SECS", (0, 0))


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize(
    ("kills", "cause", "tries"), [(1, "normal_exit", 2), (2, "normal_exit", 3), (3, "ie_host_overloaded", 3)]
)
def test_a_step_that_a_host_without_memory_killed_is_run_again_in_the_overtime(
    kills: int, cause: str, tries: int
) -> None:
    slot = RecordedSlot(*[KILLED_BY_HOST] * kills, CLEAN)
    steps = StepRuns(slot, None)
    assert steps.run(SPEC, Phase.RUN)[1].cause == cause
    assert [spec.overtime_secs for spec in slot.specs] == [MOST_OVERTIME_SECS - repeats for repeats in range(tries)]
    assert not steps.is_slot_suspect


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("stop_reason", [StopReason.NONE, StopReason.OOM_KILL])
def test_a_step_at_its_own_limit_is_not_run_again(stop_reason: StopReason) -> None:
    slot = RecordedSlot(outcome(stop_reason=stop_reason, usage={"oom_kill_events": 1}), CLEAN)
    assert StepRuns(slot, None).run(SPEC, Phase.RUN)[1].cause == "mle_kernel_oom"
    assert len(slot.specs) == 1


@pytest.mark.usefixtures("no_pause")
def test_a_step_with_network_is_not_run_again_because_its_hosts_would_see_its_requests_twice() -> None:
    slot = RecordedSlot(KILLED_BY_HOST, CLEAN)
    found = StepRuns(slot, None).run(replace(SPEC, net_namespace=3), Phase.RUN)[1]
    assert (found.cause, len(slot.specs)) == ("ie_host_overloaded", 1)


@pytest.mark.usefixtures("no_pause")
def test_a_step_is_not_run_again_after_more_time_than_the_overtime() -> None:
    slot = RecordedSlot(replace(KILLED_BY_HOST, wall_usec=31_000_000), CLEAN)
    assert StepRuns(slot, None).run(SPEC, Phase.RUN)[1].cause == "ie_host_overloaded"
    assert len(slot.specs) == 1


def test_a_stop_ends_the_pause_before_a_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_runs, "REPEAT_PAUSES_SECS", (3600, 3600))
    read_end, write_end = os.pipe()
    os.write(write_end, b"x")
    slot = RecordedSlot(KILLED_BY_HOST, CANCELLED)
    try:
        with pytest.raises(ExecutionDrainedError):
            StepRuns(slot, RunStop(read_end), overtime_secs=10_000).run(SPEC, Phase.RUN)
    finally:
        os.close(read_end)
        os.close(write_end)
    assert len(slot.specs) == 2
