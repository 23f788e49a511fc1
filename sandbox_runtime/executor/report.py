"""Turn the outcome of a step into the metrics and the evidence of a completion message."""

from typing import Literal, cast

from events.completed import Result
from events.evidence import (
    CgroupBackend,
    CgroupCounters,
    Evidence,
    Isolation,
    IsolationMode,
    LimitsEvidence,
    Metrics,
    ProcessLifecycle,
    Teardown,
    Timing,
)
from events.vocabulary import Cause, Divergence, Phase, Verdict
from sandbox_runtime.classify import Classification
from sandbox_runtime.jail.evidence import is_strict
from sandbox_runtime.jail.spec import CgroupUsage, Outcome, StopReason
from sandbox_runtime.jail.spec import Evidence as Facts

CPU_BOUND_RATIO = 0.8
BLOCKED_RATIO = 0.2

_KILL_ACTIONS = {
    StopReason.CPU_LIMIT: "kill_cpu_limit",
    StopReason.WALL_LIMIT: "kill_wall_limit",
    StopReason.HOST_OVERLOADED: "kill_wall_limit",
    StopReason.OOM_KILL: "kill_after_oom",
    StopReason.MEMORY_THRASH: "kill_memory_thrash",
    StopReason.CANCELLED: "kill_cancelled",
}


def result(found: Classification) -> Result:
    """Convert a classification to the `result` of a message."""
    return Result(
        verdict=found.verdict,
        cause=found.cause,
        actor=found.actor,
        phase=found.phase,
        exit_code=found.exit_code,
        signal=found.signal,
        error_message=found.error_message,
    )


def slot_is_suspect(found: Result | Classification) -> bool:
    """Whether the platform failed, perhaps because of the slot. Then the slot must not be used again."""
    return found.verdict == Verdict.IE and found.cause != Cause.IE_HOST_OVERLOADED


def is_isolation_proven(facts: Facts) -> bool:
    """Whether strict isolation and the clean-up are proven. Only then may a compiled program be cached."""
    is_whole = is_strict(facts.controls_missing) and facts.cgroup is not None and not facts.collection_errors
    return is_whole and facts.cleanup_verified and facts.leftover_processes == 0


def metrics(outcomes: tuple[Outcome, ...], phase: Phase, queue_ms: float, compile_usec: int | None) -> Metrics:
    """Times and memory of the last step, set-up times of all steps.

    `phase`: of the last step. `compile_usec`: time of the compile step, or of finding its program in the cache.
    """
    last, has_run = outcomes[-1], phase is Phase.RUN
    ratio = cpu_wall_ratio(last.cpu_usec, last.wall_usec)
    return Metrics(
        cpu_time_secs=last.cpu_usec / 1e6,
        wall_time_secs=last.wall_usec / 1e6,
        memory_peak_bytes=memory_peak_bytes(last),
        cpu_wall_ratio=ratio,
        divergence=divergence(last.cpu_usec, last.own_wall_usec),
        queue_ms=round(queue_ms, 3),
        setup_ms=sum(step.setup_usec for step in outcomes) / 1e3,
        compile_ms=None if compile_usec is None else compile_usec / 1e3,
        run_ms=last.wall_usec / 1e3 if has_run else None,
        compile_cached=None if compile_usec is None else has_run and len(outcomes) == 1,
    )


def evidence(outcome: Outcome, found: Classification) -> Evidence:
    """Build the evidence of the step that decided the verdict."""
    facts = outcome.evidence
    ratio = cpu_wall_ratio(outcome.cpu_usec, outcome.wall_usec)
    mode: IsolationMode = "strict" if is_strict(facts.controls_missing) else "permissive"
    reap_status: Literal["clean", "unclean"] = (
        "clean" if facts.cleanup_verified and not facts.leftover_processes else "unclean"
    )
    cgroup = None if facts.cgroup is None else _cgroup(facts.cgroup)
    return Evidence(
        verdict_cause=found.cause,
        verdict_actor=found.actor,
        isolation_mode=mode,
        controls_applied=facts.controls_applied,
        controls_missing=facts.controls_missing,
        cgroup=cgroup,
        timing=Timing(
            cpu_ms=outcome.cpu_usec / 1e3,
            wall_ms=outcome.wall_usec / 1e3,
            cpu_wall_ratio=ratio,
            divergence=divergence(outcome.cpu_usec, outcome.own_wall_usec),
        ),
        process_lifecycle=ProcessLifecycle(
            reap_status=reap_status,
            descendant_containment="breached" if facts.leftover_processes else "ok",
            zombie_count=facts.leftover_processes,
        ),
        judge_actions=_judge_actions(outcome),
        collection_errors=facts.collection_errors,
        isolation=Isolation(mode, facts.controls_applied, facts.controls_missing),
        limits=LimitsEvidence(cast("CgroupBackend | None", facts.cgroup_backend), cgroup),
        teardown=Teardown(reap_status, facts.leftover_processes, facts.cleanup_verified),
    )


def _judge_actions(outcome: Outcome) -> tuple[str, ...]:
    actions = [_KILL_ACTIONS[outcome.stop_reason]] if outcome.stop_reason in _KILL_ACTIONS else []
    cuts = (("close_stdout", outcome.stdout_cut), ("close_stderr", outcome.stderr_cut))
    return (*actions, *(action for action, happened in cuts if happened))


def memory_peak_bytes(outcome: Outcome) -> int:
    """Return the highest memory use of a step."""
    counted = outcome.evidence.cgroup
    return outcome.memory_peak_bytes if counted is None else counted.memory_peak_bytes


def cpu_wall_ratio(cpu_usec: int, wall_usec: int) -> float:
    """Divide CPU time by wall time."""
    return round(cpu_usec / wall_usec, 3) if wall_usec > 0 else 0.0


def divergence(cpu_usec: int, own_wall_usec: int) -> Divergence:
    """Name the ratio of CPU time to the wall time that the host gave: a loop on a busy host is bound by the CPU."""
    ratio = cpu_wall_ratio(cpu_usec, own_wall_usec)
    if ratio >= CPU_BOUND_RATIO:
        return Divergence.CPU_BOUND
    return Divergence.SLEEP_OR_BLOCK_BOUND if ratio <= BLOCKED_RATIO else Divergence.MIXED


def _cgroup(usage: CgroupUsage) -> CgroupCounters:
    return CgroupCounters(
        memory_limit_bytes=usage.memory_limit_bytes,
        memory_peak_bytes=usage.memory_peak_bytes,
        oom_events=usage.oom_events,
        oom_kill_events=usage.oom_kill_events,
        cpu_usage_usec=usage.cpu_usage_usec,
        process_count=usage.process_count,
        process_limit=usage.process_limit,
    )
