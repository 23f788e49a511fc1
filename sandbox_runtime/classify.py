"""Classify the raw facts of a step by the ordered rules of docs/contract.md, section 4. The first match wins.

Only counters, the supervisor's own record and the raw wait status decide, never an exit code that a program can
imitate.
"""

import signal
from dataclasses import dataclass, replace

from events.vocabulary import Actor, Cause, Integrity, Phase, Verdict
from sandbox_runtime.jail.spec import Outcome, StopReason


@dataclass(frozen=True, slots=True)
class Classification:
    """A verdict with its reasons. `integrity`: whether the output is complete."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: int | None = None
    signal: int | None = None
    error_message: str | None = None
    integrity: Integrity = Integrity.COMPLETE


SIGNAL_EXIT_BASE = 128
_WAITED = "compilation was stopped: the compiler waited without working; do not include pipes or devices"
OUTPUT_TOO_LONG = "the output is longer than its limit"
TOO_BUSY = "the host was too busy: the program lost its time to others"
OUT_OF_MEMORY = "the host was out of memory: it killed a process of the run, which was below its own limit"
_STOPPED = {
    StopReason.MEMORY_THRASH: (Verdict.MLE, Cause.MLE_LIMIT_BREACH),
    StopReason.CPU_LIMIT: (Verdict.TLE, Cause.TLE_CPU_JUDGE),
    StopReason.WALL_LIMIT: (Verdict.TLE, Cause.TLE_WALL_JUDGE),
    StopReason.IDLE: (Verdict.TLE, Cause.TLE_WALL_JUDGE),
}


def classify(outcome: Outcome, phase: Phase) -> Classification:
    """Classify one step. A compile step that succeeded is AC in phase COMPILE: go on with the run step."""
    found = _platform_failure(outcome, phase) or _killed(outcome, phase)
    # Without groups there is nothing to read, and the missing controls say so.
    if found is None and outcome.evidence.cgroup is None and outcome.evidence.cgroup_backend is not None:
        found = _internal(phase, Cause.IE_MISSING_EVIDENCE, "the usage of the run could not be read")
    if found is None:
        found = _compiler_ended(outcome) if phase is Phase.COMPILE else _program_ended(outcome)
    message = found.error_message
    if message is None and phase is Phase.RUN and (outcome.stdout_cut or outcome.stderr_cut):
        message = OUTPUT_TOO_LONG  # also if the program ran on until a time limit
    return replace(found, error_message=message, integrity=_integrity(outcome, found))


def _platform_failure(outcome: Outcome, phase: Phase) -> Classification | None:
    evidence = outcome.evidence
    if evidence.leftover_processes > 0 or not evidence.cleanup_verified:
        return _internal(phase, Cause.IE_CLEANUP_FAILURE, "the sandbox could not be cleaned up")
    return None


def _killed(outcome: Outcome, phase: Phase) -> Classification | None:
    cgroup = outcome.evidence.cgroup
    oom_kills = 0 if cgroup is None else cgroup.oom_kill_events
    is_host_short = cgroup is not None and oom_kills > 0 and cgroup.oom_events == 0
    if (oom_kills > 0 or outcome.stop_reason is StopReason.OOM_KILL) and not is_host_short:
        return _stopped(phase, Verdict.MLE, Cause.MLE_KERNEL_OOM, Actor.KERNEL)
    if outcome.stop_reason is StopReason.CANCELLED:
        killed = int(signal.SIGKILL)
        return Classification(Verdict.SIG, Cause.CANCELLED, Actor.JUDGE, phase, None, killed, "the run was cancelled")
    if is_host_short or outcome.stop_reason is StopReason.HOST_OVERLOADED:
        return _internal(phase, Cause.IE_HOST_OVERLOADED, OUT_OF_MEMORY if is_host_short else TOO_BUSY)
    if outcome.stop_reason in _STOPPED:
        found = _stopped(phase, *_STOPPED[outcome.stop_reason], Actor.JUDGE)
        return replace(found, error_message=_WAITED) if outcome.stop_reason is StopReason.IDLE else found
    # We did not kill it, and it did not end by itself: the wait status was lost.
    if outcome.exit_code is None and outcome.signal is None:
        return _internal(phase, Cause.IE_MISSING_EVIDENCE, "the end of the run was not seen")
    return None


def _program_ended(outcome: Outcome) -> Classification:
    cgroup = outcome.evidence.cgroup
    if outcome.signal == signal.SIGXCPU:
        return _signalled(Verdict.TLE, Cause.TLE_CPU_KERNEL, Actor.KERNEL, Phase.RUN, outcome.signal)
    if outcome.signal == signal.SIGXFSZ:
        return _signalled(Verdict.FSE, Cause.FSE_LIMIT_EXCEEDED, Actor.KERNEL, Phase.RUN, outcome.signal)
    if outcome.signal == signal.SIGSYS:
        found = _signalled(Verdict.SIG, Cause.SECCOMP_VIOLATION, Actor.KERNEL, Phase.RUN, outcome.signal)
    elif outcome.signal is not None:
        found = _signalled(Verdict.SIG, Cause.RE_FATAL_SIGNAL, Actor.RUNTIME, Phase.RUN, outcome.signal)
    elif outcome.exit_code and cgroup is not None and cgroup.fork_refusals > 0:
        found = Classification(Verdict.PLE, Cause.PLE_CGROUP_PIDS, Actor.KERNEL, Phase.RUN, outcome.exit_code)
    elif outcome.exit_code:
        found = Classification(Verdict.RE, Cause.RE_NONZERO_EXIT, Actor.RUNTIME, Phase.RUN, outcome.exit_code)
    else:
        found = Classification(Verdict.AC, Cause.NORMAL_EXIT, Actor.RUNTIME, Phase.RUN, outcome.exit_code)
    if outcome.stdout_cut or outcome.stderr_cut:
        return replace(found, cause=Cause.OLE_OUTPUT_LIMIT, actor=Actor.JUDGE)
    return found


def _compiler_ended(outcome: Outcome) -> Classification:
    if outcome.signal == signal.SIGXCPU:
        found = _signalled(Verdict.TLE, Cause.TLE_CPU_KERNEL, Actor.KERNEL, Phase.COMPILE, outcome.signal)
        return replace(found, error_message="compilation ran out of time")
    if outcome.exit_code == 0 and outcome.artifact is not None:
        return Classification(Verdict.AC, Cause.NORMAL_EXIT, Actor.RUNTIME, Phase.COMPILE, 0)
    if outcome.signal is not None:
        found = _signalled(Verdict.RE, Cause.CE_COMPILE_FAILED, Actor.RUNTIME, Phase.COMPILE, outcome.signal)
    else:
        found = Classification(Verdict.RE, Cause.CE_COMPILE_FAILED, Actor.RUNTIME, Phase.COMPILE, outcome.exit_code)
    return replace(found, error_message="compilation failed")


def _integrity(outcome: Outcome, found: Classification) -> Integrity:
    if found.verdict is Verdict.IE:
        return Integrity.WRITE_ERROR
    if outcome.stdout_cut or outcome.stderr_cut:
        return Integrity.TRUNCATED_BY_JUDGE_LIMIT
    return Integrity.COMPLETE if found.signal is None else Integrity.CRASH_MID_WRITE


def _internal(phase: Phase, cause: Cause, message: str) -> Classification:
    return Classification(Verdict.IE, cause, Actor.JUDGE, phase, error_message=message)


def _stopped(phase: Phase, verdict: Verdict, cause: Cause, actor: Actor) -> Classification:
    message = None
    if phase is Phase.COMPILE:
        message = f"compilation ran out of {'memory' if verdict is Verdict.MLE else 'time'}"
    return Classification(verdict, cause, actor, phase, None, int(signal.SIGKILL), message)


def _signalled(verdict: Verdict, cause: Cause, actor: Actor, phase: Phase, number: int) -> Classification:
    return Classification(verdict, cause, actor, phase, SIGNAL_EXIT_BASE + number, number)
