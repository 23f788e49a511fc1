"""A slot runs one program at a time. It owns a template process, control groups and a user id."""

import contextlib
import errno
import os
import random
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from types import TracebackType
from typing import Self

from sandbox_runtime.jail import evidence
from sandbox_runtime.jail.controls.cgroup import Counters, close_groups, open_groups
from sandbox_runtime.jail.controls.identity import guest_uid
from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.errors import NEEDS_ROOT, JailError
from sandbox_runtime.jail.evidence import CONTROLS, STRICT_CONTROLS, own_namespaces
from sandbox_runtime.jail.protocol import Terms
from sandbox_runtime.jail.python_fork import START_CODE, WarmStart
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome, StopReason, own_time
from sandbox_runtime.jail.supervisor.deadlines import Deadlines
from sandbox_runtime.jail.supervisor.launch import Launch, TemplateProcess
from sandbox_runtime.jail.supervisor.run_io import RunIO
from sandbox_runtime.jail.supervisor.watch import Observation, watch

# Assemble the outcome of a run from the supervisor's observations and the groups' counters.

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


# The CPU on which a run is set up. Optional; docs/performance.md has the gain.
#
# The kernel starts a forked process on the idlest CPU, whose caches hold nothing of the template. So the template, and
# with it the set-up of a run, stays on one CPU. Before guest code the run gets all CPUs back, see `inside.program`.


class SetUpCpus:
    """Shared by the slots of a runner. `cpus`: their numbers, at least one. Use it from any thread."""

    def __init__(self, cpus: Collection[int]) -> None:
        self.cpus = tuple(sorted(cpus))
        self._runs = dict.fromkeys(self.cpus, 0)
        self._lock = Lock()

    def take(self, last: int | None) -> int:
        """Count one run more on a CPU with the fewest, and return its number: `last` if it is one of these."""
        with self._lock:
            fewest = min(self._runs.values())
            free = [cpu for cpu, runs in self._runs.items() if runs == fewest]
            # Any of them, so that several runners of a host do not all choose the first one.
            cpu = last if last in free else random.choice(free)  # noqa: S311 - no secret
            self._runs[cpu] += 1
            return cpu

    def give_back(self, cpu: int) -> None:
        with self._lock:
            self._runs[cpu] -= 1


class SlotCpu:
    """The CPU of one slot's template. `shared`: None leaves the choice to the kernel."""

    def __init__(self, shared: SetUpCpus | None) -> None:
        self._shared = shared
        self._taken: int | None = None
        self._pinned: int | None = None

    def pin(self, template_pid: int) -> None:
        """Choose a CPU for the next run, and move the template there. The choice holds until `release`."""
        if self._shared is None or self._taken is not None:
            return
        self._taken = self._shared.take(self._pinned)
        if self._taken != self._pinned:
            # The host may have taken this CPU away, or the template may be dead.
            with suppress(OSError):
                os.sched_setaffinity(template_pid, {self._taken})
                self._pinned = self._taken

    def release(self) -> None:
        """Give the CPU back to the choice. The template stays there until the next run."""
        if self._shared is not None and self._taken is not None:
            self._shared.give_back(self._taken)
            self._taken = None


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """Arguments of `open_slot`.

    `name`: unique among the live slots of this process. `index`: 0 to 63, gives the guests' user id.
    `required_controls`: the floor. When one of them is not in force, no guest starts and `run` raises JailError.
    `warm`: runs of this command fork from a warm interpreter, if the host supports it; None: all runs start by exec.
    `small_init`: directory of the built small init; "": each run forks its init from the template, which is slower.
    `set_up_cpus`: chooses the CPU on which each run is set up; None: the kernel does, which is slower.
    """

    name: str
    index: int
    binds: tuple[BindMount, ...] = ()
    required_controls: tuple[str, ...] = STRICT_CONTROLS
    warm: WarmStart | None = None
    small_init: str = ""
    set_up_cpus: SetUpCpus | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown control: a misspelt name would silently lower the floor."""
        unknown = sorted(set(self.required_controls) - set(CONTROLS))
        if unknown:
            raise ValueError(f"no such control: {', '.join(unknown)}")


_MOST_SOCKET_BYTES = 32 << 20  # of a guest, in a run with network
_START = """
import sys
sys.path.insert(0, ROOT)
from sandbox_runtime.jail.inside.template import main
main(TERMS, PATH)
"""


@contextlib.contextmanager
def _closed_on_error(launch: Launch) -> Iterator[None]:
    try:
        yield
    except BaseException:
        launch.close()
        raise


class Slot:
    """Open it with `open_slot`, and close it. After a JailError check `healthy`: open a new slot if it is False.

    `runs`: how many runs were started; all are forked from one template.
    """

    _template_code = ""  # tests override it

    def __init__(self, config: SlotConfig) -> None:
        if os.geteuid() != 0:
            raise JailError("open a slot", errno=errno.EPERM, hint=NEEDS_ROOT)
        self.uid = guest_uid(config.index)
        self.healthy = True
        self.runs = 0
        self._prewarmed: Launch | None = None
        self._ending: Launch | None = None
        self._cpu = SlotCpu(config.set_up_cpus)
        self._warm = config.warm if config.warm is not None and config.warm.is_possible else None
        self._groups = open_groups(config.name)
        self._template: TemplateProcess | None = None
        try:
            code = self._template_code or (_START if self._warm is None else START_CODE)
            self._template = TemplateProcess(code, lambda control_fd: self._terms(config, control_fd))
        except BaseException:
            self.close()
            raise

    def _terms(self, config: SlotConfig, control_fd: int) -> Terms:
        return Terms(
            control_fd=control_fd,
            uid=self.uid,
            runner_uid=os.geteuid(),
            binds=config.binds,
            outer_namespaces=(own_namespaces(),),
            membership_marker=self._groups.membership_marker,
            shares_cpu=self._groups.shares_cpu,
            required_controls=config.required_controls,
            small_init=config.small_init,
            warm=self._warm,
            interpreter_device=None if self._warm is None else os.stat(self._warm.argv[0]).st_dev,
            cpus=() if config.set_up_cpus is None else config.set_up_cpus.cpus,
        )

    @property
    def template_pid(self) -> int:
        return self._open_template().pid

    def prewarm(self, spec: JailSpec) -> None:
        """Fork and set up a run in advance, for a later `run` with the same command, environment, limits and family.

        The files and input of `spec` are ignored. The next run uses the pre-warmed one, or kills it if it does not fit.
        With `spec.waiting` it starts that command. Raises JailError as `run` does.
        """
        if self._prewarmed is not None:
            return
        self.settle()
        template = self._open_template()
        self.healthy = False
        self._prewarmed = self._begin(template, spec, is_prewarmed=True)
        self._cpu.release()  # it is set up, and waits
        self.healthy = True

    def is_ready_for(self, spec: JailSpec) -> bool:
        """Whether a pre-warmed run fits `spec` and can start at once. Raises JailError when it died."""
        return self._prewarmed is not None and self._prewarmed.fits(spec) and self._prewarmed.is_ready

    def run(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one program to its end; blocking. `cancel_fd`: becomes readable to stop the run (CANCELLED).

        Raises JailError when the sandbox, not the guest, failed. `healthy` is False then.
        """
        outcome = self.answer(spec, cancel_fd=cancel_fd)
        self.settle()
        return outcome

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """As `run`, but return as soon as all processes of the guest are dead, before init has exited.

        The next call on this slot waits for init first, see `settle`.
        """
        self.settle()
        template = self._open_template()
        self.healthy = False  # until we have seen that this run is cleaned up
        self.runs += 1
        begun_ns = time.monotonic_ns()
        launch = self._launch(template, spec)
        with _closed_on_error(launch):
            observed, end = self._watch(launch, spec, cancel_fd)
            outcome = assemble(spec, observed, launch, end, self._groups.backend, begun_ns)
        self._ending = launch
        self.healthy = outcome.evidence.cleanup_verified
        return outcome

    def _watch(self, launch: Launch, spec: JailSpec, cancel_fd: int | None) -> tuple[Observation, Counters]:
        """Watch the run to its end. Returns the observations and the groups' final counters."""
        deadlines = Deadlines(self._groups, spec.limits, launch.start, spec.overtime_secs)
        if spec.output_watch is not None:
            spec.output_watch.begin(launch.run_io.captures)
            for capture in launch.run_io.captures:
                capture.on_read = spec.output_watch.notify
        observed = watch(launch, launch.run_io.captures, deadlines, self._groups, cancel_fd)
        if observed.cannot_be_killed:
            return observed, self._groups.read()
        if observed.alone:
            end = self._groups.read()
            # Init counts as a process of the group, and may or may not have exited by now.
            return observed, replace(end, process_count=0) if end.process_count == 1 else end
        launch.await_reaped()
        return observed, self._groups.read()

    def settle(self) -> None:
        """Wait until the last run is cleaned up. Raises JailError, with `healthy` False, if a process stays alive."""
        ending, self._ending = self._ending, None
        if ending is None:
            return
        was_healthy, self.healthy = self.healthy, False
        with contextlib.closing(ending):
            ending.await_reaped()
        left = self._groups.process_count()
        if left:
            raise JailError("end the run", hint=f"{left} processes are still alive; close this slot")
        self._cpu.release()
        self.healthy = was_healthy

    def _open_template(self) -> TemplateProcess:
        if not self.healthy or self._template is None:
            raise JailError("run", hint="this slot failed before, or is closed; open a new one")
        return self._template

    def _launch(self, template: TemplateProcess, spec: JailSpec) -> Launch:
        prewarmed, self._prewarmed = self._prewarmed, None
        if prewarmed is None or not prewarmed.fits(spec):
            if prewarmed is not None:
                prewarmed.discard()
            return self._begin(template, spec, is_prewarmed=False)
        with _closed_on_error(prewarmed):
            # CPU time of the set-up does not count as the guest's.
            prewarmed.start = replace(prewarmed.start, cpu_usage_usec=self._groups.cpu_usage_usec())
            prewarmed.start_program(spec)
        return prewarmed

    def _begin(self, template: TemplateProcess, spec: JailSpec, *, is_prewarmed: bool) -> Launch:
        """Clone a run. The order matters: set the limits first; write files and request while the template clones."""
        self._cpu.pin(template.pid)
        start = self._groups.prepare(spec.limits)
        if spec.net_namespace is not None:
            self._groups.bound_sockets(_MOST_SOCKET_BYTES)
        run_io = RunIO(self.uid, spec.pipes)
        launch = Launch(template, self._groups, spec, start, run_io, is_prewarmed=is_prewarmed)
        with _closed_on_error(launch):
            launch.send_request()
        return launch

    def close(self) -> None:
        """Kill the template and its run, then remove the groups. Takes a bounded time."""
        self.healthy = False
        for launch in (self._prewarmed, self._ending):
            if launch is not None:
                launch.close()
        self._prewarmed = self._ending = None
        self._cpu.release()
        if self._template is not None:
            self._template.close()
        with contextlib.suppress(OSError, JailError):
            close_groups(self._groups)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_slot(config: SlotConfig) -> Slot:
    """Make the groups of a slot and start its template. Raises JailError."""
    return Slot(config)
