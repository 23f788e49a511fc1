"""cgroup v1: a group per controller (memory, pids, cpuacct), `Documentation/admin-guide/cgroup-v1`.

Entry is by writing "0" to `tasks`: a thread that moves itself needs no RCU grace period, while writing a pid
to `cgroup.procs` waits for one (8 to 24 ms on busy hosts).
"""

import contextlib
import errno
import os
import select
import time
from pathlib import Path

from sandbox_runtime.jail.cgroup.interface import Counters, flat_keyed, read_members, refaulted_pages
from sandbox_runtime.jail.cgroup.leftovers import await_free_memory
from sandbox_runtime.jail.cgroup.removal import remove_groups
from sandbox_runtime.jail.cgroup.swap import refuse_unbounded_swap
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

CONTROLLERS = ("memory", "pids", "cpuacct")
_SWAP_LIMIT = "memory.memsw.limit_in_bytes"  # there only with swap accounting
_LONGEST_BUSY_SECS = 10.0
_BUSY_PAUSE_SECS = 0.001


class GroupsV1:
    """Groups `<base of each controller>/<name>`. Files that are read in every run stay open."""

    backend: str | None = "cgroup_v1"
    is_sampled = False

    def __init__(self, bases: dict[str, Path], name: str) -> None:
        self._fds: list[int] = []
        self._directories = {controller: bases[controller] / name for controller in CONTROLLERS}
        self._name = name
        try:
            for directory in self._directories.values():
                directory.mkdir(parents=True, exist_ok=True)
            memory, pids, cpu = (self._directories[controller] for controller in CONTROLLERS)
            self._limit = self._open(memory / "memory.limit_in_bytes", os.O_RDWR)
            swap = memory / _SWAP_LIMIT
            self._swap_limit = self._open(swap, os.O_RDWR) if swap.exists() else None
            with contextlib.suppress(OSError):  # no promise: it may still be swapped when the whole host is short
                (memory / "memory.swappiness").write_text("0")
            self._check_swap()
            self._peak = self._open(memory / "memory.max_usage_in_bytes", os.O_RDWR)
            self._usage = self._open(memory / "memory.usage_in_bytes", os.O_RDONLY)
            self._oom = self._open(memory / "memory.oom_control", os.O_RDONLY)
            self._stat = self._open(memory / "memory.stat", os.O_RDONLY)
            self._pids_max = self._open(pids / "pids.max", os.O_RDWR)
            self._pids_now = self._open(pids / "pids.current", os.O_RDONLY)
            self._pids_events = self._open(pids / "pids.events", os.O_RDONLY)
            self._cpu = self._open(cpu / "cpuacct.usage", os.O_RDONLY)
            self.init_entry_fds = (self._open(pids / "tasks", os.O_WRONLY),)
            self.program_entry_fds = tuple(self._open(group / "tasks", os.O_WRONLY) for group in (memory, cpu))
            self._eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._fds.append(self._eventfd)
            (memory / "cgroup.event_control").write_text(f"{self._eventfd} {self._oom}")
        except JailError:
            self._give_up()
            raise
        except OSError as error:
            self._give_up()
            hint = "needs root and writable cgroup mounts for memory, pids and cpuacct"
            raise JailError("create cgroup", str(error.filename or name), error.errno or 0, hint) from error

    def _check_swap(self) -> None:
        if self._swap_limit is None:
            refuse_unbounded_swap(self._name)

    def _give_up(self) -> None:
        with contextlib.suppress(JailError):
            self.close()

    @property
    def membership_marker(self) -> str:
        """The tail of the group's path."""
        return f"/{self._name}"

    @property
    def oom_event(self) -> tuple[int, int] | None:
        """An eventfd, registered with the group's oom_control."""
        return self._eventfd, select.POLLIN

    def acknowledge_oom_event(self) -> None:
        """Reset the eventfd."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._eventfd)

    def _open(self, path: Path, flags: int) -> int:
        fd = os.open(path, flags | os.O_CLOEXEC)
        self._fds.append(fd)
        return fd

    def prepare(self, limits: Limits) -> Counters:
        """Limits down before up: the memory limit may never stand above memory plus swap."""
        self._check_swap()
        self._await_free_memory(limits)
        try:
            wanted = limits.memory_bytes
            order = [self._swap_limit, self._limit]
            if wanted < int(os.pread(self._limit, 32, 0)):
                order.reverse()
            for fd in order:
                if fd is not None:
                    self._write_limit(fd, wanted)
            os.pwrite(self._peak, b"0", 0)
            os.pwrite(self._pids_max, str(limits.process_bound).encode(), 0)
        except OSError as error:
            raise JailError("set cgroup limits", self._name, error.errno or 0) from error
        return self.read()

    def _write_limit(self, fd: int, wanted: int) -> None:
        """EBUSY: more is charged; the kernel frees its own memory of the run before some milliseconds late."""
        end = time.monotonic() + _LONGEST_BUSY_SECS
        while True:
            try:
                os.pwrite(fd, str(wanted).encode(), 0)
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > end:
                    raise
                time.sleep(_BUSY_PAUSE_SECS)
            else:
                return

    def _await_free_memory(self, limits: Limits) -> None:
        try:
            await_free_memory(
                lambda: int(os.pread(self._usage, 32, 0)),
                lambda: self.memory_pressure()[1],
                limits.memory_bytes,
                self._name,
            )
        except OSError as error:
            raise JailError("read memory usage", self._name, error.errno or 0) from error

    def read(self) -> Counters:
        """Read all counters."""
        try:
            return Counters(
                memory_now_bytes=int(os.pread(self._usage, 32, 0)),
                memory_peak_bytes=int(os.pread(self._peak, 32, 0)),
                oom_kills=flat_keyed(os.pread(self._oom, 256, 0))["oom_kill"],
                cpu_usage_usec=self.cpu_usage_usec(),
                process_count=int(os.pread(self._pids_now, 32, 0)),
                fork_refusals=flat_keyed(os.pread(self._pids_events, 256, 0)).get("max", 0),
            )
        except (OSError, ValueError, KeyError) as error:
            raise JailError("read cgroup counters", self._name, getattr(error, "errno", 0) or 0) from error

    def cpu_usage_usec(self) -> int:
        """CPU time of the group; the kernel counts nanoseconds."""
        return int(os.pread(self._cpu, 32, 0)) // 1000

    def members(self) -> tuple[list[int], list[int]]:
        """Init among them."""
        group = self._directories["pids"]
        return read_members(group / "cgroup.procs", group / "tasks")

    def memory_pressure(self) -> tuple[int, int]:
        """Pages read again, and rss + shmem."""
        stat = flat_keyed(os.pread(self._stat, 8192, 0))
        return refaulted_pages(stat), stat.get("rss", 0) + stat.get("shmem", 0)

    def close(self) -> None:
        """Close the files and remove the groups."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        remove_groups(self._directories.values())
