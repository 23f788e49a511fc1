"""Assemble the outcome of a run from what the supervisor saw and what the groups counted."""

import os
import time

from sandbox_runtime.jail.controls.cgroup import Counters
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence import in_force as evidence
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome, StopReason
from sandbox_runtime.jail.supervisor.handover import Handover
from sandbox_runtime.jail.supervisor.reports import Watched

_NS_PER_SEC = 1_000_000_000


def decided_stop(watched: Watched, oom_kills: int, wall_ns: int, limits: Limits) -> StopReason:
    """An out-of-memory kill decides, whatever else was seen: the kernel counted it in this run.

    A program that ended by itself after its wall limit, because the host stood still when it was to be killed, was
    too slow all the same.
    """
    if oom_kills > 0 and watched.stop_reason is not StopReason.CANCELLED:
        return StopReason.OOM_KILL
    overran = watched.ready is not None and wall_ns >= limits.wall_time_secs * _NS_PER_SEC
    if watched.stop_reason is StopReason.NONE and watched.ended is not None and overran:
        return StopReason.WALL_LIMIT
    return watched.stop_reason


def assemble(
    spec: JailSpec,
    watched: Watched,
    handover: Handover,
    counters: tuple[Counters, Counters],
    backend: str | None,
    begun_ns: int,
) -> Outcome:
    """Raises JailError when init died, or the program ended before it was one, and nobody here killed it."""
    start, end = counters
    usage = evidence.usage(spec, start, end)
    started_ns = watched.ready["at_ns"] if watched.ready else begun_ns
    ended_ns = watched.ended["at_ns"] if watched.ended else time.monotonic_ns()
    stop_reason = decided_stop(watched, usage.oom_kill_events, ended_ns - started_ns, spec.limits)
    if watched.ended is None and stop_reason is StopReason.NONE:
        raise JailError("wait for the run", hint="init ended without a report")
    if watched.ready is None and stop_reason is StopReason.NONE:
        raise JailError("start the program", hint="it ended before its controls were measured")
    errors = tuple(
        f"{name} still open"
        for name, capture in zip(("stdout", "stderr"), handover.captures, strict=True)
        if capture.open
    )
    exit_code = signal = None
    if watched.ended is not None and stop_reason is StopReason.NONE:
        status = watched.ended["wait_status"]
        signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    artifact = None
    if spec.artifact is not None and exit_code == 0 and watched.ended and watched.ended["artifact_error"] == "":
        artifact = handover.artifact(spec.artifact_max_bytes)
    stdout, stderr = handover.captures
    return Outcome(
        exit_code=exit_code,
        signal=signal,
        stop_reason=stop_reason,
        stdout=stdout.take(),
        stderr=stderr.take(),
        stdout_cut=stdout.cut,
        stderr_cut=stderr.cut,
        cpu_usec=usage.cpu_usage_usec,
        memory_peak_bytes=usage.memory_peak_bytes,
        wall_usec=(ended_ns - started_ns) // 1000,
        setup_usec=(started_ns - begun_ns) // 1000,
        cpu_wait_usec=watched.cpu_wait_usec,
        evidence=evidence.gather(watched.ready["controls"] if watched.ready else None, backend, usage, errors),
        artifact=artifact,
    )
