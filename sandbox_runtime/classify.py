"""Classify the raw facts of a step by the ordered rules of docs/contract.md, section 4. The first match wins.

Only counters, the supervisor's own record and the raw wait status decide, never an exit code that a program can
imitate.
"""

import signal
from dataclasses import dataclass, replace
from enum import StrEnum

from sandbox_runtime.jail.spec import Outcome, StopReason


class Verdict(StrEnum):
    """The closed list that clients switch on."""

    AC = "AC"
    RE = "RE"
    TLE = "TLE"
    MLE = "MLE"
    PLE = "PLE"
    FSE = "FSE"
    SIG = "SIG"
    IE = "IE"


class Actor(StrEnum):
    """The side that decided: the program, the kernel, or the supervisor."""

    RUNTIME = "runtime"
    KERNEL = "kernel"
    JUDGE = "judge"


class Phase(StrEnum):
    """The step that a verdict is about."""

    COMPILE = "compile"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Classification:
    """A verdict with its reasons. `integrity`: whether the output is complete."""

    verdict: Verdict
    cause: str
    actor: Actor
    phase: Phase
    exit_code: int | None = None
    signal: int | None = None
    error_message: str | None = None
    integrity: str = "complete"


SIGNAL_EXIT_BASE = 128
_WAITED = "compilation was stopped: the compiler waited without working; do not include pipes or devices"
OUTPUT_TOO_LONG = "the output is longer than its limit"
_STOPPED = {
    StopReason.MEMORY_THRASH: (Verdict.MLE, "mle_limit_breach"),
    StopReason.MEMORY_LIMIT: (Verdict.MLE, "mle_limit_breach"),
    StopReason.CPU_LIMIT: (Verdict.TLE, "tle_cpu_judge"),
    StopReason.WALL_LIMIT: (Verdict.TLE, "tle_wall_judge"),
    StopReason.IDLE: (Verdict.TLE, "tle_wall_judge"),
}
CANCELLED = "cancelled"
"""Cause of a run that its project stopped. A runner that drains stops runs too, but those have no result."""
OVERLOADED = "ie_host_overloaded"
"""Cause of a run whose overtime ended while others had the CPUs. It says nothing about the program."""


def classify(outcome: Outcome, phase: Phase) -> Classification:
    """Classify one step. A compile step that succeeded is AC in phase COMPILE: go on with the run step."""
    found = _platform_failure(outcome, phase) or _killed(outcome, phase)
    # Without groups there is nothing to read, and the missing controls say so.
    if found is None and outcome.evidence.cgroup is None and outcome.evidence.cgroup_backend is not None:
        found = _internal(phase, "ie_missing_evidence", "the usage of the run could not be read")
    if found is None:
        found = _compiler_ended(outcome) if phase is Phase.COMPILE else _program_ended(outcome)
    message = found.error_message
    if message is None and phase is Phase.RUN and (outcome.stdout_cut or outcome.stderr_cut):
        message = OUTPUT_TOO_LONG  # also if the program ran on until a time limit
    return replace(found, error_message=message, integrity=_integrity(outcome, found))


def _platform_failure(outcome: Outcome, phase: Phase) -> Classification | None:
    evidence = outcome.evidence
    if evidence.leftover_processes > 0 or not evidence.cleanup_verified:
        return _internal(phase, "ie_cleanup_failure", "the sandbox could not be cleaned up")
    return None


def _killed(outcome: Outcome, phase: Phase) -> Classification | None:
    cgroup = outcome.evidence.cgroup
    oom_kills = 0 if cgroup is None else cgroup.oom_kill_events
    if oom_kills > 0 or outcome.stop_reason is StopReason.OOM_KILL:
        return _stopped(phase, Verdict.MLE, "mle_kernel_oom", Actor.KERNEL)
    if outcome.stop_reason is StopReason.CANCELLED:
        killed = int(signal.SIGKILL)
        return Classification(Verdict.SIG, CANCELLED, Actor.JUDGE, phase, None, killed, "the run was cancelled")
    if outcome.stop_reason is StopReason.HOST_OVERLOADED:
        return _internal(phase, OVERLOADED, "the host was too busy: the program lost its time to others")
    if outcome.stop_reason in _STOPPED:
        found = _stopped(phase, *_STOPPED[outcome.stop_reason], Actor.JUDGE)
        return replace(found, error_message=_WAITED) if outcome.stop_reason is StopReason.IDLE else found
    # We did not kill it, and it did not end by itself: the wait status was lost.
    if outcome.exit_code is None and outcome.signal is None:
        return _internal(phase, "ie_missing_evidence", "the end of the run was not seen")
    return None


def _program_ended(outcome: Outcome) -> Classification:
    cgroup = outcome.evidence.cgroup
    if outcome.signal == signal.SIGXCPU:
        return _signalled(Verdict.TLE, "tle_cpu_kernel", Actor.KERNEL, Phase.RUN, outcome.signal)
    if outcome.signal == signal.SIGXFSZ:
        return _signalled(Verdict.FSE, "fse_limit_exceeded", Actor.KERNEL, Phase.RUN, outcome.signal)
    if outcome.signal == signal.SIGSYS:
        found = _signalled(Verdict.SIG, "seccomp_violation", Actor.KERNEL, Phase.RUN, outcome.signal)
    elif outcome.signal is not None:
        found = _signalled(Verdict.SIG, "re_fatal_signal", Actor.RUNTIME, Phase.RUN, outcome.signal)
    elif outcome.exit_code and cgroup is not None and cgroup.fork_refusals > 0:
        found = Classification(Verdict.PLE, "ple_cgroup_pids", Actor.KERNEL, Phase.RUN, outcome.exit_code)
    elif outcome.exit_code:
        found = Classification(Verdict.RE, "re_nonzero_exit", Actor.RUNTIME, Phase.RUN, outcome.exit_code)
    else:
        found = Classification(Verdict.AC, "normal_exit", Actor.RUNTIME, Phase.RUN, outcome.exit_code)
    if outcome.stdout_cut or outcome.stderr_cut:
        return replace(found, cause="ole_output_limit", actor=Actor.JUDGE)
    return found


def _compiler_ended(outcome: Outcome) -> Classification:
    if outcome.signal == signal.SIGXCPU:
        found = _signalled(Verdict.TLE, "tle_cpu_kernel", Actor.KERNEL, Phase.COMPILE, outcome.signal)
        return replace(found, error_message="compilation ran out of time")
    if outcome.exit_code == 0 and outcome.artifact is not None:
        return Classification(Verdict.AC, "normal_exit", Actor.RUNTIME, Phase.COMPILE, 0)
    if outcome.signal is not None:
        found = _signalled(Verdict.RE, "ce_compile_failed", Actor.RUNTIME, Phase.COMPILE, outcome.signal)
    else:
        found = Classification(Verdict.RE, "ce_compile_failed", Actor.RUNTIME, Phase.COMPILE, outcome.exit_code)
    return replace(found, error_message="compilation failed")


def _integrity(outcome: Outcome, found: Classification) -> str:
    if found.verdict is Verdict.IE:
        return "write_error"
    if outcome.stdout_cut or outcome.stderr_cut:
        return "truncated_by_judge_limit"
    return "complete" if found.signal is None else "crash_mid_write"


def _internal(phase: Phase, cause: str, message: str) -> Classification:
    return Classification(Verdict.IE, cause, Actor.JUDGE, phase, error_message=message)


def _stopped(phase: Phase, verdict: Verdict, cause: str, actor: Actor) -> Classification:
    message = None
    if phase is Phase.COMPILE:
        message = f"compilation ran out of {'memory' if verdict is Verdict.MLE else 'time'}"
    return Classification(verdict, cause, actor, phase, None, int(signal.SIGKILL), message)


def _signalled(verdict: Verdict, cause: str, actor: Actor, phase: Phase, number: int) -> Classification:
    return Classification(verdict, cause, actor, phase, SIGNAL_EXIT_BASE + number, number)
