"""Watch one run from outside: streams, reports, limits, its end. Waits on descriptors, never in a sleep loop."""

import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from sandbox_runtime.jail.cgroup import SampledUsage, SlotGroups
from sandbox_runtime.jail.deadlines import SETUP_SECS, Deadlines
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.launch import Launch
from sandbox_runtime.jail.spec import StopReason
from sandbox_runtime.jail.streams import Capture
from sandbox_runtime.jail.wire import DONT_WAIT, receive

_END = struct.Struct("<iiqq")
_DEATH_MS = int(SETUP_SECS * 1000)


@dataclass(slots=True)
class Watched:
    """What was seen. Reports are None when they never came.

    `alone`: init had reaped all others. `died`: init itself. `begun_ns`: what a waiting command did before is its own.
    """

    begun_ns: int = 0
    stop_reason: StopReason = StopReason.NONE
    ready: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None
    alone: bool = False
    died: bool = False
    mount_fds: list[int] = field(default_factory=list)

    def read_report(self, status: socket.socket) -> bool:
        """Take one report. False at the end, or when none has come. Raises JailError for a report of failure."""
        try:
            message, fds = receive(status, DONT_WAIT)
        except BlockingIOError:
            return False
        if not message:
            return False
        self.mount_fds += fds
        if not message.startswith(b"{"):
            self._read_end(message)
            return True
        report = json.loads(message)
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        if report["kind"] == "ready":
            self.ready = report | {"at_ns": max(report["at_ns"], self.begun_ns)}
        elif report["kind"] == "ended":
            self.ended, self.alone = report, report["is_alone"]
        elif report["kind"] == "alone":
            self.alone = True
        return True

    def _read_end(self, message: bytes) -> None:
        """What the small init writes, see `small_init_code`. Raises JailError when it is not that."""
        if len(message) != _END.size:
            raise JailError("read report", hint="not one of ours")
        wait_status, last_look, secs, ns = _END.unpack(message)
        self.alone = last_look == -errno.ECHILD
        self.ended = {"wait_status": wait_status, "at_ns": secs * 1_000_000_000 + ns, "artifact_error": None}

    @property
    def is_over(self) -> bool:
        """No process of the guest's lives any more."""
        return self.died or (self.ended is not None and self.alone)

    def take_mount_fds(self) -> list[int]:
        """Descriptors that came with the reports; the caller owns them."""
        taken, self.mount_fds = self.mount_fds, []
        return taken


def kill_run(pidfd: int) -> None:
    """Kill init: the kernel kills and reaps everything else in its pid namespace."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


class _Watch:
    """The event loop of one run."""

    def __init__(
        self,
        launch: Launch,
        captures: tuple[Capture, Capture],
        deadlines: Deadlines,
        groups: SlotGroups,
    ) -> None:
        self._pidfd, self._status, self._captures = launch.pidfd, launch.status, captures
        self._deadlines, self._groups = deadlines, groups
        self._poller = select.poll()
        self._open = {self._pidfd, self._status.fileno(), *(capture.fd for capture in captures)}
        for fd in self._open:
            self._poller.register(fd, select.POLLIN)
        self.watched = Watched(launch.begun_ns)

    def _forget(self, fd: int) -> None:
        self._open.discard(fd)
        self._poller.unregister(fd)

    def _handle(self, fd: int) -> None:
        if fd == self._pidfd:
            self.watched.died = True
            self._forget(fd)
        elif fd == self._status.fileno():
            had_started = self.watched.ready is not None
            if not self.watched.read_report(self._status):
                self._forget(fd)
            if isinstance(self._groups, SampledUsage):
                self._groups.attach_mounts(self.watched.take_mount_fds())
            if self.watched.ready is not None and not had_started:
                self._deadlines.program_started(self.watched.ready["at_ns"])
        for capture in self._captures:
            if fd == capture.fd and capture.open:
                # Forget before reading: a closed descriptor's number may be taken by another thread at once.
                self._forget(fd)
                capture.read()
                if capture.open:
                    self._open.add(fd)
                    self._poller.register(fd, select.POLLIN)

    def run(self, cancel_fd: int | None) -> Watched:
        """Until init is alone or dead: nothing of the guest's is alive after it."""
        oom_event_fd, oom_event_mask = self._groups.oom_event or (-1, 0)
        if oom_event_fd >= 0:
            self._poller.register(oom_event_fd, oom_event_mask)
        if cancel_fd is not None:
            self._poller.register(cancel_fd, select.POLLIN)
        while not self.watched.is_over:
            stopping = self.watched.stop_reason is not StopReason.NONE or self.watched.ended is not None
            events = self._poller.poll(_DEATH_MS if stopping else self._deadlines.timeout_ms())
            if not events and stopping:
                raise JailError("wait for the run to die", hint="a process of the run cannot be killed")
            for fd, _ in events:
                if fd == oom_event_fd:
                    self._groups.acknowledge_oom_event()
                    self._deadlines.check_soon()
                elif fd == cancel_fd:
                    self._poller.unregister(fd)
                    self._stop(StopReason.CANCELLED)
                elif fd in self._open:
                    self._handle(fd)
            if self.watched.stop_reason is StopReason.NONE and self.watched.ended is None:
                self._stop(self._deadlines.due())
        return self.watched

    def _stop(self, reason: StopReason) -> None:
        if reason is StopReason.NONE or self.watched.ended is not None:
            return
        if reason is StopReason.WALL_LIMIT and self._deadlines.setup_overran:
            raise JailError("set up the run", hint="took too long")
        self.watched.stop_reason = reason
        kill_run(self._pidfd)


def watch(
    launch: Launch,
    captures: tuple[Capture, Capture],
    deadlines: Deadlines,
    groups: SlotGroups,
    cancel_fd: int | None,
) -> Watched:
    """Watch until all of the guest is dead and its output is read. Raises JailError; kills the run in any case."""
    loop = _Watch(launch, captures, deadlines, groups)
    try:
        watched = loop.run(cancel_fd)
        while watched.read_report(launch.status):  # what was written just before the end
            pass
        for capture in captures:
            capture.drain()
        return watched
    finally:
        kill_run(launch.pidfd)
        for fd in loop.watched.take_mount_fds():
            os.close(fd)
