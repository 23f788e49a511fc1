"""One place to run programs in, one at a time: a template process, a set of groups, a user id of its own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox_runtime.jail import evidence
from sandbox_runtime.jail.cgroup import close_groups, open_groups
from sandbox_runtime.jail.deadlines import SETUP_SECS, Deadlines
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.handover import Handover
from sandbox_runtime.jail.identity import guest_uid
from sandbox_runtime.jail.mounts import BindMount
from sandbox_runtime.jail.outcome import assemble
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.jail.supervise import watch
from sandbox_runtime.jail.wire import receive, send

_PROJECT_ROOT = Path(__file__).parents[2]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sandbox_runtime.jail.template import main; main(sys.argv[2])"
)
_CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """`name`: unique among the live slots of this process. `index`: 0 to 63, gives the guests' user id."""

    name: str
    index: int
    binds: tuple[BindMount, ...] = ()


class Slot:
    """Open with `open_slot`; close it. After a JailError from `run` look at `healthy`, and reopen when it is False."""

    _template_code = _START

    def __init__(self, config: SlotConfig) -> None:
        self.uid = guest_uid(config.index)
        self.healthy = True
        self._host_namespaces = evidence.host_namespaces()
        self._groups = open_groups(config.name)
        self._channel, template_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._channel.settimeout(SETUP_SECS)
            with template_end:
                self._process = self._start_template(config, template_end)
            self._expect("open")
        except BaseException:
            self.close()
            raise

    def _start_template(self, config: SlotConfig, template_end: socket.socket) -> subprocess.Popen[bytes]:
        arguments = json.dumps(
            {
                "control_fd": template_end.fileno(),
                "uid": self.uid,
                "binds": [[bind.source, bind.target] for bind in config.binds],
            }
        )
        # -I -S: no site packages, no environment, no working directory on the path. The base interpreter, because
        # a virtual environment's is not inside the guest root.
        interpreter = getattr(sys, "_base_executable", sys.executable)
        command = [interpreter, "-I", "-S", "-c", self._template_code, str(_PROJECT_ROOT), arguments]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_CLEAN_ENVIRONMENT,
            cwd="/",
            pass_fds=(template_end.fileno(),),
            start_new_session=True,
        )

    def _expect(self, kind: str) -> list[int]:
        message, fds = receive(self._channel)
        report: dict[str, Any] = json.loads(message) if message else {"kind": "gone"}
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        if report["kind"] != kind:
            raise JailError("talk to the template", report["kind"], hint="the template process ended")
        return fds

    def run(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one program to its end; blocking. `cancel_fd`: becomes readable to stop the run (CANCELLED).

        Raises JailError when the sandbox, not the guest, failed. `healthy` is False then.
        """
        if not self.healthy:
            raise JailError("run", hint="this slot failed before; open a new one")
        self.healthy = False  # until this run is known to be gone
        begun_ns = time.monotonic_ns()
        start = self._groups.prepare(spec.limits)
        with Handover(spec, self._groups) as handover:
            send(self._channel, handover.request.serialise(), handover.passed_fds)
            handover.close_guest_side()
            (pidfd,) = self._expect("started")
            try:
                deadlines = Deadlines(self._groups, spec.limits, start)
                captures = handover.captures
                watched = watch(pidfd, handover.status_fd, captures, deadlines, self._groups, cancel_fd)
            finally:
                os.close(pidfd)
            self._expect("reaped")
            end = self._groups.read()
            found = evidence.controls(watched.ready, self._host_namespaces, self.uid, self._groups)
            outcome = assemble(spec, watched, handover, (start, end), found, self._groups.backend, begun_ns)
        self.healthy = outcome.evidence.cleanup_verified
        return outcome

    def close(self) -> None:
        """End the template (and a run that still goes on), then remove the groups."""
        self.healthy = False
        self._channel.close()
        process = getattr(self, "_process", None)
        if process is not None:
            try:
                process.wait(timeout=SETUP_SECS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with contextlib.suppress(OSError):
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
