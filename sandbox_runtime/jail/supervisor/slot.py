"""One place to run programs in, one at a time: a template process, a set of groups, a user id of its own."""

import contextlib
import os
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from sandbox_runtime.jail.controls.cgroup import Counters, SampledUsage, SlotGroups, close_groups, open_groups
from sandbox_runtime.jail.controls.identity import guest_uid
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence.measure import own_namespaces
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.python_fork import START_CODE
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.jail.supervisor.deadlines import Deadlines
from sandbox_runtime.jail.supervisor.handover import Handover
from sandbox_runtime.jail.supervisor.launch import Launch
from sandbox_runtime.jail.supervisor.next_handover import HandoverAhead
from sandbox_runtime.jail.supervisor.outcome import assemble
from sandbox_runtime.jail.supervisor.reports import Watched
from sandbox_runtime.jail.supervisor.slot_config import SlotConfig
from sandbox_runtime.jail.supervisor.template_process import TemplateProcess
from sandbox_runtime.jail.supervisor.watch import watch

_START = """
import sys
sys.path.insert(0, ROOT)
from sandbox_runtime.jail.inside.template import main
main(TERMS, PATH)
"""


def _groups_for(name: str, *, in_user_namespace: bool) -> SlotGroups:
    """Control groups; an ordinary user may have some delegated, else usage is sampled."""
    try:
        return open_groups(name)
    except JailError:
        if not in_user_namespace:
            raise
        return SampledUsage()


class Slot:
    """Open with `open_slot`; close it. After a JailError look at `healthy`, and reopen when it is False.

    `runs`: how many were begun; all are forked from one template.
    """

    _template_code = ""  # tests put another one here

    def __init__(self, config: SlotConfig) -> None:
        self.uid = guest_uid(config.index)
        self.healthy = True
        self.runs = 0
        self._staged: tuple[Launch, Handover] | None = None
        self._ending: tuple[Launch, Handover] | None = None
        self._in_user_namespace = os.geteuid() != 0
        self._handovers = HandoverAhead(None if self._in_user_namespace else self.uid)
        self._warm = config.warm if config.warm is not None and config.warm.is_possible else None
        self._groups = _groups_for(config.name, in_user_namespace=self._in_user_namespace)
        self._template: TemplateProcess | None = None
        try:
            code = self._template_code or (_START if self._warm is None else START_CODE)
            self._template = TemplateProcess(code, lambda control_fd: self._terms(config, control_fd))
        except BaseException:
            self.close()
            raise
        for fd in self._template.take_shown():
            if isinstance(self._groups, SampledUsage):
                self._groups.attach(fd)
            else:
                os.close(fd)
        self._handovers.make()

    def _terms(self, config: SlotConfig, control_fd: int) -> Terms:
        return Terms(
            control_fd=control_fd,
            uid=self.uid,
            runner_uid=os.geteuid(),
            in_user_namespace=self._in_user_namespace,
            binds=config.binds,
            outer_namespaces=(own_namespaces(),),
            membership_marker=self._groups.membership_marker,
            shares_cpu=self._groups.shares_cpu,
            required_controls=config.required_controls,
            small_init=config.small_init,
            warm=self._warm,
            interpreter_device=None if self._warm is None else os.stat(self._warm.argv[0]).st_dev,
        )

    @property
    def template_pid(self) -> int:
        """Process id of the template."""
        return self._open_template().pid

    def stage(self, spec: JailSpec) -> None:
        """Prepare for a run like this one, so that it starts at once: same command, environment, limits and family.

        Files and input of `spec` are not looked at. A staged run is used once, or thrown away when the next run is
        another one. With `spec.waiting` that command is started. Does nothing where usage is sampled.
        Raises JailError as `run` does.
        """
        if self._groups.is_sampled or self._staged is not None:
            return
        self.settle()
        template = self._open_template()
        self.healthy = False
        self._staged = self._begin(template, spec, is_staged=True)
        self.healthy = True

    def is_ready_for(self, spec: JailSpec) -> bool:
        """Whether a run like this one is staged and would start at once. Raises JailError when it died."""
        return self._staged is not None and self._staged[0].fits(spec) and self._staged[0].is_ready

    def run(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one program to its end; blocking. `cancel_fd`: becomes readable to stop the run (CANCELLED).

        Raises JailError when the sandbox, not the guest, failed. `healthy` is False then.
        """
        outcome = self.answer(spec, cancel_fd=cancel_fd)
        self.settle()
        return outcome

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """As `run`, but returns as soon as every process of the guest's is dead: init's own end is still to come.

        Whatever is called next waits for that end first, see `settle`.
        """
        self.settle()
        template = self._open_template()
        self.healthy = False  # until this run is known to be gone
        self.runs += 1
        begun_ns = time.monotonic_ns()
        launch, handover = self._launch(template, spec)
        try:
            watched, end = self._watch(launch, handover, spec, cancel_fd)
            outcome = assemble(spec, watched, handover, (launch.start, end), self._groups.backend, begun_ns)
        except BaseException:
            handover.close()
            launch.close()
            raise
        self._ending = launch, handover
        self.healthy = outcome.evidence.cleanup_verified
        return outcome

    def _watch(
        self, launch: Launch, handover: Handover, spec: JailSpec, cancel_fd: int | None
    ) -> tuple[Watched, Counters]:
        """What was seen, and the counters of the end."""
        deadlines = Deadlines(self._groups, spec.limits, launch.start)
        watched = watch(launch, handover.captures, deadlines, self._groups, cancel_fd)
        if watched.alone and not self._groups.is_sampled:
            end = self._groups.read()
            # Init, which counts as a process of the group, may be gone by now or not.
            return watched, replace(end, process_count=0) if end.process_count == 1 else end
        used = launch.reaped()
        if isinstance(self._groups, SampledUsage):
            self._groups.settle(used["cpu_usec"], used["largest_kib"] << 10)
        return watched, self._groups.read()

    def settle(self) -> None:
        """Wait until nothing of the last run is left. Raises JailError, with `healthy` False, when something stays."""
        ending, self._ending = self._ending, None
        if ending is None:
            return
        was_healthy, self.healthy = self.healthy, False
        launch, handover = ending
        with contextlib.closing(launch), handover:
            launch.reaped()
        left = self._groups.read().process_count
        if left:
            raise JailError("end the run", hint=f"{left} processes are left")
        self.healthy = was_healthy
        self._handovers.make()

    def _open_template(self) -> TemplateProcess:
        if not self.healthy or self._template is None:
            raise JailError("run", hint="this slot failed before, or is closed; open a new one")
        return self._template

    def _launch(self, template: TemplateProcess, spec: JailSpec) -> tuple[Launch, Handover]:
        staged, self._staged = self._staged, None
        if staged is not None and staged[0].fits(spec):
            launch, handover = staged
            try:
                # What the staged process used while it got ready is not the guest's.
                launch.start = replace(launch.start, cpu_usage_usec=self._groups.cpu_usage_usec())
                handover.fill(spec)
                launch.go(spec)
            except BaseException:
                launch.close()
                handover.close()
                raise
            return launch, handover
        if staged is not None:
            staged[1].close()
            staged[0].discard()
        return self._begin(template, spec, is_staged=False)

    def _begin(self, template: TemplateProcess, spec: JailSpec, *, is_staged: bool) -> tuple[Launch, Handover]:
        """The limits stand before there is a process; the files and the request come while it is cloned."""
        with contextlib.ExitStack() as undone:
            start = self._groups.prepare(spec.limits)
            handover = undone.enter_context(self._handovers.take())
            launch = Launch(template, self._groups, spec, start, handover.streams, is_staged=is_staged)
            undone.callback(launch.close)
            handover.close_guest_side()
            if not is_staged:
                handover.fill(spec)
            launch.tell()
            undone.pop_all()
        return launch, handover

    def close(self) -> None:
        """End the template (and a run that still goes on), then remove the groups. Bounded, whatever still runs."""
        self.healthy = False
        for pair in (self._staged, self._ending):
            for part in pair or ():
                part.close()
        self._staged = self._ending = None
        self._handovers.close()
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
    """Start a template and make its groups. Raises JailError."""
    return Slot(config)
