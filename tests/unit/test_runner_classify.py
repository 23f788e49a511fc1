"""The ordered rules of docs/contract.md, section 4, rule by rule; all combinations: `test_runner_classify_table`."""

import signal
from typing import Any

import pytest

from events.vocabulary import Phase
from sandbox_runtime.classify import classify
from sandbox_runtime.jail.spec import Outcome, StopReason
from tests.runner_doubles import outcome

RUN = Phase.RUN
COMPILE = Phase.COMPILE


def found(given: Outcome, phase: Phase = RUN) -> tuple[str, str, str, int | None, int | None]:
    result = classify(given, phase)
    assert result.phase == phase
    return result.verdict, result.cause, result.actor, result.exit_code, result.signal


def stopped(reason: StopReason, **fields: Any) -> Outcome:
    return outcome(exit_code=None, stop_reason=reason, **fields)


ENDS = [
    pytest.param({"exit_code": 0}, ("AC", "normal_exit", "runtime", 0, None), id="exit 0"),
    pytest.param({"exit_code": 1}, ("RE", "re_nonzero_exit", "runtime", 1, None), id="exit 1"),
    pytest.param({"exit_code": 137}, ("RE", "re_nonzero_exit", "runtime", 137, None), id="exit 137 is no kill"),
    pytest.param({"exit_code": 124}, ("RE", "re_nonzero_exit", "runtime", 124, None), id="exit 124 is no time-out"),
    pytest.param({"exit_code": 152}, ("RE", "re_nonzero_exit", "runtime", 152, None), id="exit 152 is no SIGXCPU"),
    pytest.param({"exit_code": 159}, ("RE", "re_nonzero_exit", "runtime", 159, None), id="exit 159 is no SIGSYS"),
    pytest.param({"signal": 11}, ("SIG", "re_fatal_signal", "runtime", 139, 11), id="SIGSEGV"),
    pytest.param({"signal": 9}, ("SIG", "re_fatal_signal", "runtime", 137, 9), id="own SIGKILL is no OOM"),
    pytest.param({"signal": 6}, ("SIG", "re_fatal_signal", "runtime", 134, 6), id="SIGABRT"),
    pytest.param({"signal": 31}, ("SIG", "seccomp_violation", "kernel", 159, 31), id="seccomp"),
    pytest.param({"signal": signal.SIGXCPU}, ("TLE", "tle_cpu_kernel", "kernel", 152, 24), id="SIGXCPU"),
    pytest.param({"signal": signal.SIGXFSZ}, ("FSE", "fse_limit_exceeded", "kernel", 153, 25), id="SIGXFSZ"),
]


@pytest.mark.parametrize(("fields", "expected"), ENDS)
def test_a_program_that_ended_by_itself_is_judged_by_its_wait_status(
    fields: dict[str, int], expected: tuple[object, ...]
) -> None:
    assert found(outcome(**{"exit_code": None, **fields})) == expected


KILLS = [
    (StopReason.OOM_KILL, ("MLE", "mle_kernel_oom", "kernel", None, 9)),
    (StopReason.MEMORY_THRASH, ("MLE", "mle_limit_breach", "judge", None, 9)),
    (StopReason.CPU_LIMIT, ("TLE", "tle_cpu_judge", "judge", None, 9)),
    (StopReason.WALL_LIMIT, ("TLE", "tle_wall_judge", "judge", None, 9)),
]


@pytest.mark.parametrize(("reason", "expected"), KILLS)
def test_a_supervisors_kill_has_no_exit_code_and_signal_9(reason: StopReason, expected: tuple[object, ...]) -> None:
    assert found(stopped(reason)) == expected


@pytest.mark.parametrize(("reason", "expected"), KILLS)
def test_a_kill_by_the_supervisor_outweighs_the_wait_status(reason: StopReason, expected: tuple[object, ...]) -> None:
    assert found(outcome(exit_code=0, stop_reason=reason)) == expected
    assert found(outcome(exit_code=None, signal=25, stop_reason=reason)) == expected


@pytest.mark.parametrize("reason", [reason for reason in StopReason if reason is not StopReason.CANCELLED])
@pytest.mark.parametrize("end", [{"exit_code": 0}, {"exit_code": 1}, {"exit_code": None, "signal": 9}])
def test_an_oom_kill_in_the_group_is_mle_after_any_end(reason: StopReason, end: dict[str, int | None]) -> None:
    given = outcome(stop_reason=reason, usage={"oom_kill_events": 1}, **end)
    assert found(given) == ("MLE", "mle_kernel_oom", "kernel", None, 9)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("end", [{"exit_code": 0}, {"exit_code": 1}, {"exit_code": None, "signal": 9}])
def test_an_oom_kill_below_the_runs_own_limit_is_the_hosts(phase: Phase, end: dict[str, int | None]) -> None:
    given = outcome(stop_reason=StopReason.OOM_KILL, usage={"oom_kill_events": 1, "oom_events": 0}, **end)
    assert found(given, phase) == ("IE", "ie_host_overloaded", "judge", None, None)


def test_a_cancelled_run_that_the_host_killed_is_cancelled() -> None:
    given = stopped(StopReason.CANCELLED, usage={"oom_kill_events": 1, "oom_events": 0})
    assert found(given)[:2] == ("SIG", "cancelled")


def test_an_oom_event_without_a_kill_is_no_mle() -> None:
    assert found(outcome(usage={"oom_events": 3}))[0] == "AC"


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("reason", list(StopReason))
@pytest.mark.parametrize("evidence", [{"leftover_processes": 1}, {"cleanup_verified": False}, {"cgroup": None}])
def test_a_survivor_of_the_teardown_is_a_platform_failure_before_anything_else(
    evidence: dict[str, object], reason: StopReason, phase: Phase
) -> None:
    facts = {"leftover_processes": 1, **evidence}
    given = outcome(stop_reason=reason, usage={"oom_kill_events": 1}, evidence=facts)
    assert found(given, phase) == ("IE", "ie_cleanup_failure", "judge", None, None)


def test_a_kill_by_the_kernel_precedes_a_cancel() -> None:
    assert found(stopped(StopReason.CANCELLED))[:2] == ("SIG", "cancelled")
    assert found(stopped(StopReason.CANCELLED, usage={"oom_kill_events": 1}))[:2] == ("MLE", "mle_kernel_oom")


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("end", [{"exit_code": 0}, {"exit_code": 1}, {"exit_code": None, "signal": 9}])
def test_usage_that_could_not_be_read_is_missing_evidence(phase: Phase, end: dict[str, int | None]) -> None:
    given = outcome(evidence={"cgroup": None}, artifact=b"x", **end)
    assert found(given, phase) == ("IE", "ie_missing_evidence", "judge", None, None)


def test_a_kill_by_the_supervisor_needs_no_counters() -> None:
    assert found(stopped(StopReason.WALL_LIMIT, evidence={"cgroup": None}))[1] == "tle_wall_judge"


@pytest.mark.parametrize("phase", list(Phase))
def test_an_end_that_nobody_saw_is_missing_evidence(phase: Phase) -> None:
    assert found(outcome(exit_code=None), phase) == ("IE", "ie_missing_evidence", "judge", None, None)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ({"exit_code": 1}, ("PLE", "ple_cgroup_pids", "kernel", 1, None)),
        ({"exit_code": 0}, ("AC", "normal_exit", "runtime", 0, None)),
        ({"exit_code": None, "signal": 6}, ("SIG", "re_fatal_signal", "runtime", 134, 6)),
    ],
)
def test_a_refused_fork_explains_a_nonzero_exit_only(end: dict[str, Any], expected: tuple[object, ...]) -> None:
    assert found(outcome(usage={"fork_refusals": 1}, **end)) == expected


@pytest.mark.parametrize("cut", [{"stdout_cut": True}, {"stderr_cut": True}, {"stdout_cut": True, "stderr_cut": True}])
@pytest.mark.parametrize(
    ("end", "verdict"),
    [
        ({"exit_code": 0}, "AC"),
        ({"exit_code": 1}, "RE"),
        ({"exit_code": 1, "usage": {"fork_refusals": 1}}, "PLE"),
        ({"exit_code": None, "signal": 13}, "SIG"),
        ({"exit_code": None, "signal": 31}, "SIG"),
    ],
)
def test_a_closed_pipe_keeps_the_verdict_and_names_the_output_limit(
    end: dict[str, Any], verdict: str, cut: dict[str, bool]
) -> None:
    result = classify(outcome(**end, **cut), RUN)
    assert (result.verdict, result.cause, result.actor) == (verdict, "ole_output_limit", "judge")
    assert result.integrity == "truncated_by_judge_limit"


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (stopped(StopReason.CPU_LIMIT, stdout_cut=True), "tle_cpu_judge"),
        (outcome(exit_code=None, signal=24, stdout_cut=True), "tle_cpu_kernel"),
        (outcome(exit_code=None, signal=25, stdout_cut=True), "fse_limit_exceeded"),
        (outcome(usage={"oom_kill_events": 1}, stdout_cut=True), "mle_kernel_oom"),
    ],
)
def test_a_closed_pipe_does_not_hide_an_earlier_rule(given: Outcome, cause: str) -> None:
    result = classify(given, RUN)
    assert (result.cause, result.integrity) == (cause, "truncated_by_judge_limit")


@pytest.mark.parametrize(
    ("given", "integrity"),
    [
        (outcome(), "complete"),
        (outcome(exit_code=3), "complete"),
        (outcome(exit_code=None, signal=11), "crash_mid_write"),
        (stopped(StopReason.WALL_LIMIT), "crash_mid_write"),
        (outcome(usage={"oom_kill_events": 1}), "crash_mid_write"),
        (outcome(evidence={"leftover_processes": 1}), "write_error"),
        (outcome(evidence={"leftover_processes": 1}, stdout_cut=True), "write_error"),
    ],
)
def test_integrity_says_how_whole_the_output_is(given: Outcome, integrity: str) -> None:
    assert classify(given, RUN).integrity == integrity


def test_a_compiler_that_leaves_a_program_lets_the_run_go_on() -> None:
    assert found(outcome(artifact=b"\x7fELF"), COMPILE) == ("AC", "normal_exit", "runtime", 0, None)


COMPILE_FAILURES = [
    ({"exit_code": 1}, (1, None)),
    ({"exit_code": 0}, (0, None)),  # but no program was left
    ({"exit_code": None, "signal": 11}, (139, 11)),
    ({"exit_code": None, "signal": 25}, (153, 25)),
    ({"exit_code": 1, "stderr_cut": True}, (1, None)),
    ({"exit_code": 1, "usage": {"fork_refusals": 2}}, (1, None)),
]


@pytest.mark.parametrize(("fields", "end"), COMPILE_FAILURES)
def test_a_compiler_that_fails_is_a_compile_error(fields: dict[str, Any], end: tuple[int, int | None]) -> None:
    result = classify(outcome(**fields), COMPILE)
    assert (result.verdict, result.cause, result.actor) == ("RE", "ce_compile_failed", "runtime")
    assert (result.exit_code, result.signal, result.error_message) == (*end, "compilation failed")


@pytest.mark.parametrize(("reason", "expected"), KILLS)
def test_a_compiler_out_of_time_or_memory_says_so(reason: StopReason, expected: tuple[object, ...]) -> None:
    assert found(stopped(reason), COMPILE) == expected
    message = classify(stopped(reason), COMPILE).error_message
    assert message == f"compilation ran out of {'memory' if expected[0] == 'MLE' else 'time'}"


def test_a_compiler_killed_by_sigxcpu_is_out_of_time() -> None:
    assert found(outcome(exit_code=None, signal=24), COMPILE) == ("TLE", "tle_cpu_kernel", "kernel", 152, 24)
