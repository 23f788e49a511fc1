"""Assemble the outcome of a run from the supervisor's observations and the groups' counters."""

import os
import time

from sandbox_runtime.jail import evidence
from sandbox_runtime.jail.controls.cgroup import Counters
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome, StopReason, own_time
from sandbox_runtime.jail.supervisor.launch import Launch
from sandbox_runtime.jail.supervisor.watch import Observation

_NS_PER_SEC, _USEC_PER_SEC = 1_000_000_000, 1_000_000


def decided_stop(observed: Observation, oom_kills: int, cpu_usec: int, wall_ns: int, limits: Limits) -> StopReason:
    """Decide why the run was stopped. An out-of-memory kill that the kernel counted precedes all other reasons.

    A program that ended by itself beyond a time limit, before we killed it, was still too slow. Wall time in which
    others had the CPUs does not count.
    """
    if oom_kills > 0 and observed.stop_reason is not StopReason.CANCELLED:
        return StopReason.OOM_KILL
    if observed.stop_reason is StopReason.NONE and observed.ready is not None and observed.ended is not None:
        if cpu_usec >= limits.cpu_time_secs * _USEC_PER_SEC:
            return StopReason.CPU_LIMIT
        if own_time(wall_ns, observed.cpu_wait_usec * 1000) >= limits.wall_time_secs * _NS_PER_SEC:
            return StopReason.WALL_LIMIT
    return observed.stop_reason


def _exit_status(wait_status: int) -> tuple[int | None, int | None]:
    """Return exit code and signal; one of them is None."""
    if os.WIFSIGNALED(wait_status):
        return None, os.WTERMSIG(wait_status)
    return os.WEXITSTATUS(wait_status), None


def assemble(
    spec: JailSpec,
    observed: Observation,
    launch: Launch,
    end: Counters,
    backend: str,
    begun_ns: int,
) -> Outcome:
    """Build the outcome. Raises JailError when init died, or the set-up process ended, and we did not kill it."""
    usage = evidence.usage(spec, launch.start, end)
    started_ns = observed.ready["at_ns"] if observed.ready else begun_ns
    ended_ns = observed.ended["at_ns"] if observed.ended else time.monotonic_ns()
    wall_ns = ended_ns - started_ns
    stop_reason = decided_stop(observed, usage.oom_kill_events, usage.cpu_usage_usec, wall_ns, spec.limits)
    if observed.ended is None and stop_reason is StopReason.NONE:
        raise JailError("wait for the run", hint="init ended without a report")
    if observed.ready is None and stop_reason is StopReason.NONE:
        raise JailError("start the program", hint="it ended before its controls were measured")
    exit_code = signal = None
    if observed.ended is not None and stop_reason is StopReason.NONE:
        exit_code, signal = _exit_status(observed.ended["wait_status"])
    box = None if observed.cannot_be_killed else launch.box
    artifact = None
    if spec.artifact is not None and exit_code == 0 and box is not None:
        artifact = box.read(spec.artifact, spec.artifact_max_bytes)
    stdout, stderr = launch.run_io.captures
    errors = tuple(f"{name} still open" for name, pipe in (("stdout", stdout), ("stderr", stderr)) if pipe.open)
    if observed.cannot_be_killed:
        errors += ("a process cannot be killed",)
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
        wall_usec=wall_ns // 1000,
        setup_usec=(started_ns - begun_ns) // 1000,
        cpu_wait_usec=observed.cpu_wait_usec,
        evidence=evidence.gather(observed.ready["controls"] if observed.ready else None, backend, usage, errors),
        artifact=artifact,
        box=box if spec.keeps_box else None,
    )
