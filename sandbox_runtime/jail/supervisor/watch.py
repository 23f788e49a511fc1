"""Watch one run from outside: read its output and reports, enforce its limits, see its end.

The loop waits on descriptors with poll(2). It polls counters every millisecond only when a failed program left many
processes, see `PendingRefusals`.
"""

import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol import DONT_WAIT, receive
from sandbox_runtime.jail.spec import Limits, StopReason
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT, Deadlines
from sandbox_runtime.jail.supervisor.launch import Launch
from sandbox_runtime.jail.supervisor.run_io import Capture, PacedReading

# Wait for fork refusals that the pids group counts only after a failed program has ended. The verdict PLE needs them.
#
# copy_process() of the kernel checks RLIMIT_NPROC first and the pids group last. A fork in progress counts for
# RLIMIT_NPROC from its start. Init is in the group only, so the group has the lower limit for the program. With
# several forks at once, RLIMIT_NPROC refuses the last one while earlier ones have not reached the group yet. The
# group then refuses at least one of these. But a typical fork bomb exits at its first refusal, before the group has
# counted any. So:
#
# 1. Init does not reap the program, because that would free one process of the limit. 2. We stop the other processes
# before we kill them. A fork in progress then completes, and no new one starts. 3. Init may have reaped other
# processes while the program ended, which made room for forks in progress. When very many processes are alive we
# therefore let them run a little longer: if they fork, the group counts it. They get CPU time, not time by the clock:
# on a busy host ten of them may not run at all within 10 ms.

_AT_ONCE = 64  # descriptors
# States of proc_pid_stat(5).
_RUNNABLE = frozenset("RD")  # runs, waits for a CPU or for a disk
_HALTED = frozenset("TtZX")  # stopped, a zombie, dead


def is_any_runnable(groups: SlotGroups) -> bool:
    """Whether a thread of a member runs or could run. Raises JailError."""
    return any(_state(thread) in _RUNNABLE for thread in groups.members()[1])


def stop_processes(groups: SlotGroups) -> bool:
    """Send SIGSTOP to all members. Returns whether all their threads are stopped; if not, call again.

    A process stops only after its present system call, so a fork(2) in progress still makes a new member.
    Init is stopped too if it is a member. Raises JailError.
    """
    for pids in batched(groups.members()[0], _AT_ONCE):
        with contextlib.ExitStack() as opened:
            found = dict(_open(pids, opened))
            # A pid may have been reused since the list was read. Only a present member may get the signal.
            for pid in found.keys() & groups.members()[0]:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(found[pid], signal.SIGSTOP)
    return all(_state(thread) in _HALTED for thread in groups.members()[1])


def _open(pids: tuple[int, ...], opened: contextlib.ExitStack) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            opened.callback(os.close, descriptor)
            yield pid, descriptor


def _state(thread: int) -> str:
    """Return the state of a thread, one letter. `X` if it is gone, "" if it cannot be read."""
    try:
        facts = Path(f"/proc/{thread}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    except OSError:
        return ""
    # The state follows the program's name, which is in parentheses and may hold any bytes.
    return chr(facts[facts.rindex(b")") + 2])


LOOK_MS = 1
# 150 fork bombs of ten Python processes on an idle host of two CPUs: the refusal came after 17 ms by the clock at most.
_ALIVE_CPU_USEC = 30_000
# Only on a host that gives the processes no CPU time: 2 ms of it within 250 ms were seen.
_ALIVE_NS, _LONGEST_NS = 1_000_000_000, 2_000_000_000


class PendingRefusals:
    """The refusals of one run. `start`: the groups' counters at its start."""

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters) -> None:
        self._groups, self._bound, self._start = groups, limits.process_bound, start
        self._begun_ns = self._begun_cpu_usec = 0

    def may_come(self, wait_status: int) -> bool:
        """Whether the group may still count a refusal. Call it repeatedly while processes of the run live.

        `wait_status`: of the program, wait(2).
        """
        if not os.WIFEXITED(wait_status) or wait_status == 0:
            return False
        now_ns, counters = time.monotonic_ns(), self._groups.read()
        if self._begun_ns == 0:
            self._begun_ns, self._begun_cpu_usec = now_ns, counters.cpu_usage_usec
        waited_ns = now_ns - self._begun_ns
        if waited_ns >= _LONGEST_NS or counters.fork_refusals > self._start.fork_refusals:
            return False
        # With half of the allowed processes, one fork in progress for each could not reach the limit. We take a
        # quarter, because init may have reaped some meanwhile.
        count = counters.process_count - 1
        if 4 * count <= self._bound:
            return False
        used_usec = counters.cpu_usage_usec - self._begun_cpu_usec
        may_run = waited_ns < _ALIVE_NS and used_usec < _ALIVE_CPU_USEC
        if may_run and 2 * count >= self._bound and is_any_runnable(self._groups):
            return True
        return not stop_processes(self._groups)


_END = struct.Struct("<iiixxxxqq")


@dataclass(slots=True)
class Observation:
    """Observations so far. `ready`, `ended`: the reports, None until they arrive.

    `alone`: init is the only process of the namespace. `died`: init is dead. `cannot_be_killed`: a process outlived its
    kill by SETUP_TIMEOUT. `cpu_wait_usec`: as in `Outcome`.
    `begun_ns`: when a pre-warmed run got its program; earlier times do not count as the guest's.
    """

    begun_ns: int = 0
    stop_reason: StopReason = StopReason.NONE
    ready: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None
    alone: bool = False
    died: bool = False
    cannot_be_killed: bool = False
    cpu_wait_usec: int = 0
    box_fds: list[int] = field(default_factory=list)

    def read_report(self, status: socket.socket) -> bool:
        """Read one report. False: end of file, or no report yet. Raises JailError for a report of failure."""
        try:
            message, fds = receive(status, DONT_WAIT)
        except BlockingIOError:
            return False
        if not message:
            return False
        if not message.startswith(b"{"):
            self._read_end(message)
            return True
        report = json.loads(message)
        self.box_fds.extend(fds)
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        if report["kind"] == "ready":
            self.ready = report | {"at_ns": max(report["at_ns"], self.begun_ns)}
        elif report["kind"] == "ended":
            self.ended, self.alone = report, report["is_alone"]
        return True

    def _read_end(self, message: bytes) -> None:
        """Parse the report of the small init, see `small_init.c`. Raises JailError for another size."""
        if len(message) != _END.size:
            raise JailError("read report", hint="unexpected size; prepare the toolchains again")
        code, number, look, secs, ns = _END.unpack(message)
        self.alone = look == -errno.ECHILD
        wait_status = number << 8 if code == os.CLD_EXITED else number
        self.ended = {"wait_status": wait_status, "at_ns": secs * 1_000_000_000 + ns}

    @property
    def is_over(self) -> bool:
        """Whether all processes of the guest are dead."""
        return self.died or (self.ended is not None and self.alone)

    def take_box_fd(self) -> int | None:
        """Hand out the descriptor of the working directory, once. The caller owns it."""
        return self.box_fds.pop() if self.box_fds else None


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
        self._pidfd, self._status = launch.pidfd, launch.status
        self._deadlines, self._groups = deadlines, groups
        self._pending_refusals = PendingRefusals(groups, launch.spec.limits, launch.start)
        self._is_killed = False
        self._poller = select.poll()
        self._output = PacedReading(self._poller, captures)
        self._open = {self._pidfd, self._status.fileno()}
        for fd in self._open:
            self._poller.register(fd, select.POLLIN)
        self.observed = Observation(launch.begun_ns)

    def _forget(self, fd: int) -> None:
        self._open.discard(fd)
        self._poller.unregister(fd)

    def _handle(self, fd: int) -> None:
        if fd == self._pidfd:
            self.observed.died = True
            self._forget(fd)
        elif fd == self._status.fileno():
            had_started = self.observed.ready is not None
            if not self.observed.read_report(self._status):
                self._forget(fd)
            if self.observed.ready is not None and not had_started:
                self._deadlines.program_started(self.observed.ready["at_ns"])

    def run(self, cancel_fd: int | None) -> Observation:
        """Watch until init is alone or dead. Then all processes of the guest are dead, or cannot be killed."""
        oom_event_fd, oom_event_mask = self._groups.oom_event or (-1, 0)
        if oom_event_fd >= 0:
            self._poller.register(oom_event_fd, oom_event_mask)
        if cancel_fd is not None:
            self._poller.register(cancel_fd, select.POLLIN)
        while not self.observed.is_over:
            events = self._poller.poll(self._timeout_ms())
            if not events and self._is_killed:
                self.observed.cannot_be_killed = True
                break
            for fd, _ in events:
                if fd == oom_event_fd:
                    self._groups.acknowledge_oom_event()
                    self._deadlines.check_soon()
                elif fd == cancel_fd:
                    self._poller.unregister(fd)
                    self._stop(StopReason.CANCELLED)
                elif fd in self._open:
                    self._handle(fd)
                else:
                    self._output.read(fd)
            self._output.resume()
            self._enforce_limits()
        self.observed.cpu_wait_usec = self._deadlines.cpu_wait_usec
        return self.observed

    def _enforce_limits(self) -> None:
        if self.observed.ended is not None:
            self._end_the_others(self.observed.ended["wait_status"])
        elif self.observed.stop_reason is StopReason.NONE:
            self._stop(self._deadlines.due())

    def _timeout_ms(self) -> int:
        if self._is_killed:
            return int(SETUP_TIMEOUT.secs * 1000)
        return self._output.timeout_ms(self._deadlines.timeout_ms() if self.observed.ended is None else LOOK_MS)

    def _end_the_others(self, wait_status: int) -> None:
        """After the program's end: kill init, and with it the remaining processes. Until then init reaps nothing."""
        if self._is_killed or self.observed.is_over or self._pending_refusals.may_come(wait_status):
            return
        self._kill()

    def _kill(self) -> None:
        self._is_killed = True
        kill_run(self._pidfd)

    def _stop(self, reason: StopReason) -> None:
        if reason is StopReason.NONE or self.observed.ended is not None:
            return
        if reason is StopReason.WALL_LIMIT and self._deadlines.setup_overran:
            hint = f"took longer than {SETUP_TIMEOUT.secs:g} s; the host may be overloaded"
            raise JailError("set up the run", hint=hint)
        self.observed.stop_reason = reason
        self._kill()


def watch(
    launch: Launch,
    captures: tuple[Capture, Capture],
    deadlines: Deadlines,
    groups: SlotGroups,
    cancel_fd: int | None,
) -> Observation:
    """Watch until the guest is dead, or cannot be killed, and its output is read. Raises JailError; kills the run."""
    loop = _Watch(launch, captures, deadlines, groups)
    try:
        observed = loop.run(cancel_fd)
        while observed.read_report(launch.status):  # reports that were written just before the end
            pass
        for capture in captures:
            capture.drain()
        return observed
    finally:
        kill_run(launch.pidfd)
        launch.own_box(loop.observed.take_box_fd())
