"""One place to run programs in, one at a time: a template process, a set of groups, a user id of its own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox_runtime.jail.cgroup import SampledUsage, SlotGroups, close_groups, open_groups
from sandbox_runtime.jail.deadlines import SETUP_SECS, Deadlines
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence import CONTROLS, default_floor
from sandbox_runtime.jail.handover import Handover
from sandbox_runtime.jail.identity import guest_uid
from sandbox_runtime.jail.measure import own_namespaces
from sandbox_runtime.jail.mounts import BindMount
from sandbox_runtime.jail.outcome import assemble
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.jail.supervise import watch
from sandbox_runtime.jail.terms import Terms
from sandbox_runtime.jail.wire import receive, send

_PROJECT_ROOT = Path(__file__).parents[2]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sandbox_runtime.jail.template import main; main(sys.argv[2])"
)
_CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """What a slot is opened with.

    `name`: unique among the live slots of this process. `index`: 0 to 63, gives the guests' user id.
    `required_controls`: the floor; below it no guest starts and `run` raises JailError.
    """

    name: str
    index: int
    binds: tuple[BindMount, ...] = ()
    required_controls: tuple[str, ...] = field(default_factory=default_floor)

    def __post_init__(self) -> None:
        """Raises ValueError for a control that does not exist: a misspelt floor would be no floor."""
        unknown = sorted(set(self.required_controls) - set(CONTROLS))
        if unknown:
            raise ValueError(f"no such control: {', '.join(unknown)}")


def _groups_for(name: str, *, in_user_namespace: bool) -> SlotGroups:
    """Control groups; an ordinary user may have some delegated, else usage is sampled."""
    try:
        return open_groups(name)
    except JailError:
        if not in_user_namespace:
            raise
        return SampledUsage()


class Slot:
    """Open with `open_slot`; close it. After a JailError from `run` look at `healthy`, and reopen when it is False."""

    _template_code = _START

    def __init__(self, config: SlotConfig) -> None:
        self.uid = guest_uid(config.index)
        self.healthy = True
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._in_user_namespace = os.geteuid() != 0
        self._groups = _groups_for(config.name, in_user_namespace=self._in_user_namespace)
        try:
            self._channel, template_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._channel.settimeout(SETUP_SECS)
            with template_end:
                self._process = self._start_template(config, template_end)
            _, shown = self._expect("open", descriptors=int(self._in_user_namespace))
            for fd in shown:
                if isinstance(self._groups, SampledUsage):
                    self._groups.attach(fd)
                else:
                    os.close(fd)
        except OSError as error:
            self.close()
            raise JailError("start template", errno=error.errno or 0) from error
        except BaseException:
            self.close()
            raise

    def _start_template(self, config: SlotConfig, template_end: socket.socket) -> subprocess.Popen[bytes]:
        terms = Terms(
            control_fd=template_end.fileno(),
            uid=self.uid,
            runner_uid=os.geteuid(),
            in_user_namespace=self._in_user_namespace,
            binds=config.binds,
            outer_namespaces=(own_namespaces(),),
            membership_marker=self._groups.membership_marker,
            required_controls=config.required_controls,
        )
        # -I -S: no site packages, no environment, no working directory on the path. The base interpreter, because
        # a virtual environment's is not inside the guest root.
        interpreter = getattr(sys, "_base_executable", sys.executable)
        command = [interpreter, "-I", "-S", "-c", self._template_code, str(_PROJECT_ROOT), terms.serialise()]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_CLEAN_ENVIRONMENT,
            cwd="/",
            pass_fds=(template_end.fileno(),),
            start_new_session=True,
        )

    def _expect(self, kind: str, descriptors: int = 0) -> tuple[dict[str, Any], list[int]]:
        """The next message of the template with so many descriptors, or JailError."""
        channel = self._channel
        if channel is None:
            raise JailError("talk to the template", kind, hint="the slot is closed")
        message, fds = receive(channel)
        report: dict[str, Any] = json.loads(message) if message else {"kind": "gone"}
        if report["kind"] == kind and len(fds) == descriptors:
            return report, fds
        for fd in fds:
            os.close(fd)
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        raise JailError("talk to the template", report["kind"], hint="the template process ended")

    def run(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one program to its end; blocking. `cancel_fd`: becomes readable to stop the run (CANCELLED).

        Raises JailError when the sandbox, not the guest, failed. `healthy` is False then.
        """
        if not self.healthy or self._channel is None:
            raise JailError("run", hint="this slot failed before; open a new one")
        self.healthy = False  # until this run is known to be gone
        begun_ns = time.monotonic_ns()
        start = self._groups.prepare(spec.limits)
        with Handover(spec, self._groups) as handover:
            send(self._channel, handover.request.serialise(), handover.passed_fds)
            handover.close_guest_side()
            _, (pidfd,) = self._expect("started", descriptors=1)
            try:
                deadlines = Deadlines(self._groups, spec.limits, start)
                captures = handover.captures
                watched = watch(pidfd, handover.status, captures, deadlines, self._groups, cancel_fd)
            finally:
                os.close(pidfd)
            used, _ = self._expect("reaped")
            if isinstance(self._groups, SampledUsage):
                self._groups.settle(used["cpu_usec"], used["largest_kib"] << 10)
            end = self._groups.read()
            outcome = assemble(spec, watched, handover, (start, end), self._groups.backend, begun_ns)
        self.healthy = outcome.evidence.cleanup_verified
        return outcome

    def close(self) -> None:
        """End the template (and a run that still goes on), then remove the groups. Bounded, whatever still runs."""
        self.healthy = False
        if self._channel is not None:
            # A run in another thread may wait on this very descriptor: it must see the end before the number is free.
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            self._end_template(self._process)
        if self._channel is not None:
            self._channel.close()
        with contextlib.suppress(OSError, JailError):
            close_groups(self._groups)

    @staticmethod
    def _end_template(process: subprocess.Popen[bytes]) -> None:
        """By itself at end of file, else by force. One that no signal ends is left to the kernel."""
        try:
            process.wait(timeout=SETUP_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=SETUP_SECS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_slot(config: SlotConfig) -> Slot:
    """Start a template and make its groups. Raises JailError."""
    return Slot(config)
