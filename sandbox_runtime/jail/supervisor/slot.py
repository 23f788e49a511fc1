"""A slot runs one program at a time. It owns a template process, control groups and a user id."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from sandbox_runtime.jail.controls.cgroup import Counters, close_groups, open_groups
from sandbox_runtime.jail.controls.identity import guest_uid
from sandbox_runtime.jail.errors import NEEDS_ROOT, JailError
from sandbox_runtime.jail.evidence.measure import own_namespaces
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.python_fork import START_CODE
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.jail.supervisor.deadlines import Deadlines
from sandbox_runtime.jail.supervisor.launch import Launch
from sandbox_runtime.jail.supervisor.observation import Observation
from sandbox_runtime.jail.supervisor.outcome import assemble
from sandbox_runtime.jail.supervisor.run_io import RunIO
from sandbox_runtime.jail.supervisor.set_up_cpus import SlotCpu
from sandbox_runtime.jail.supervisor.slot_config import SlotConfig
from sandbox_runtime.jail.supervisor.template_process import TemplateProcess
from sandbox_runtime.jail.supervisor.watch import watch

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
        """Process id of the template."""
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
