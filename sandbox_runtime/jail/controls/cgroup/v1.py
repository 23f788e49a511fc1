"""cgroup v1: a group per controller (memory, pids, cpuacct, cpu), `Documentation/admin-guide/cgroup-v1`.

Entry is by writing "0" to `tasks`: a thread that moves itself needs no RCU grace period, while writing a pid
to `cgroup.procs` waits for one (8 to 24 ms on busy hosts).
"""

import contextlib
import os
import select
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup.interface import (
    CPU_CONTROLLER,
    HARMLESS_BYTES,
    CommonGroups,
    Counters,
    await_older_groups,
    flat_keyed,
    make_cpu_share_v1,
    prefer_slot_v1,
    read_members,
    refaulted_pages,
    refuse_unbounded_swap,
    remove_groups,
    undroppable,
)
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

# Version 1 charges the buffers of sockets to nobody without this limit. A program alone could fill the host's memory.
_SOCKET_LIMIT = "memory.kmem.tcp.limit_in_bytes"
_SWAP_LIMIT = "memory.memsw.limit_in_bytes"  # there only with swap accounting
# The peak of memory plus swap, where the kernel counts it: it meets its limit before that of memory alone.
_PEAKS = ("memory.memsw.max_usage_in_bytes", "memory.max_usage_in_bytes")
# The kernel kills for want of at most eight pages, here of 64 KiB: a run that it killed at its limit had used all else.
# `memory.failcnt` would be exact, but newer kernels do not count the hits of the limit of memory plus swap.
_MOST_WANTED_BYTES = 8 << 16


class MemoryGroupV1:
    """The memory group of a slot's present run, `<slot>/program`, and its open files.

    All methods raise OSError; some also raise JailError.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fds: list[int] = []
        try:
            self._make()
        except BaseException:
            self.close_files()
            raise

    def _make(self) -> None:
        group = self._directory
        group.mkdir(exist_ok=True)
        self._limit_bytes = self._most_socket_bytes = 0
        self._limit = self._open("memory.limit_in_bytes", os.O_RDWR)
        self._swap_limit = self._open(_SWAP_LIMIT, os.O_RDWR) if (group / _SWAP_LIMIT).exists() else None
        with contextlib.suppress(OSError):  # the kernel may still swap when the whole host is short of memory
            (group / "memory.swappiness").write_text("0")
        self.check_swap()
        self._peak = self._open(next(name for name in _PEAKS if (group / name).exists()), os.O_RDWR)
        self._usage = self._open("memory.usage_in_bytes", os.O_RDONLY)
        self._oom = self._open("memory.oom_control", os.O_RDONLY)
        self._stat = self._open("memory.stat", os.O_RDONLY)
        self.entry_fd = self._open("tasks", os.O_WRONLY)
        self.eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._fds.append(self.eventfd)
        (group / "cgroup.event_control").write_text(f"{self.eventfd} {self._oom}")

    def _open(self, name: str, flags: int) -> int:
        fd = os.open(self._directory / name, flags | os.O_CLOEXEC)
        self._fds.append(fd)
        return fd

    def check_swap(self) -> None:
        """Raise JailError if a guest could use swap beyond its memory limit."""
        if self._swap_limit is None:
            refuse_unbounded_swap(self._directory.parent.name)

    def set_limit(self, wanted: int) -> None:
        """Set both limits, in an order in which the memory limit never exceeds the limit of memory plus swap."""
        self._limit_bytes = wanted
        order = [self._swap_limit, self._limit]
        if wanted < int(os.pread(self._limit, 32, 0)):
            order.reverse()
        for fd in order:
            if fd is not None:
                os.pwrite(fd, str(wanted).encode(), 0)

    def bound_sockets(self, most_bytes: int) -> None:
        """Let the buffers of TCP and UDP take so much. Beyond, TCP waits and UDP drops."""
        if most_bytes != self._most_socket_bytes:
            (self._directory / _SOCKET_LIMIT).write_text(str(most_bytes))
            self._most_socket_bytes = most_bytes

    def reset_peak(self) -> None:
        os.pwrite(self._peak, b"0", 0)

    def acknowledge_oom_event(self) -> None:
        """Reset the eventfd, which is registered with the group's oom_control."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.eventfd)

    @property
    def usage_bytes(self) -> int:
        return int(os.pread(self._usage, 32, 0))

    @property
    def peak_bytes(self) -> int:
        return int(os.pread(self._peak, 32, 0))

    @property
    def oom_kills(self) -> int:
        return flat_keyed(os.pread(self._oom, 256, 0))["oom_kill"]

    def is_at_limit(self, peak_bytes: int) -> bool:
        """Whether a run with this peak may have been killed at its own limit."""
        return peak_bytes + _MOST_WANTED_BYTES > self._limit_bytes

    def stat(self) -> dict[str, int]:
        return flat_keyed(os.pread(self._stat, 8192, 0))

    def close_files(self) -> None:
        """Close the files and keep the group."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def close(self) -> None:
        """Close the files and remove the group. Raises JailError when a process is in it."""
        self.close_files()
        remove_groups([self._directory])


CONTROLLERS = ("memory", "pids", "cpuacct")
_GROUP = "program"


class GroupsV1(CommonGroups):
    """Groups `<base of each controller>/<name>/program`. Files that are read in every run stay open.

    A slot keeps its groups of pids, cpuacct and cpu. Its memory group may be replaced after a run, see
    `HARMLESS_BYTES`. `<name>` counts the memory of all memory groups of the slot.
    """

    backend = "cgroup_v1"

    def __init__(self, bases: dict[str, Path], name: str) -> None:
        self._fds: list[int] = []
        self._slots = {controller: bases[controller] / name for controller in CONTROLLERS}
        self._name = name
        self._memory: MemoryGroupV1 | None = None
        try:
            for directory in self._slots.values():
                directory.mkdir(parents=True, exist_ok=True)
            memory, pids, cpu = (self._slots[controller] for controller in CONTROLLERS)
            share = make_cpu_share_v1(bases.get(CPU_CONTROLLER), name)
            self._share = share
            self.shares_cpu = share is not None
            if share is not None:
                self._slots[CPU_CONTROLLER] = share
            self._slot_usage = self._open(memory / "memory.usage_in_bytes", os.O_RDONLY)
            self._slot_stat = self._open(memory / "memory.stat", os.O_RDONLY)
            # Often cpu and cpuacct are one hierarchy; then the program enters it once.
            cpu_groups = list(dict.fromkeys((cpu, share or cpu)))
            for directory in (pids, *cpu_groups):
                (directory / _GROUP).mkdir(exist_ok=True)
            self._pids_max = self._open(pids / _GROUP / "pids.max", os.O_RDWR)
            self._pids_now = self._open(pids / _GROUP / "pids.current", os.O_RDONLY)
            self._pids_events = self._open(pids / _GROUP / "pids.events", os.O_RDONLY)
            self._cpu = self._open(cpu / _GROUP / "cpuacct.usage", os.O_RDONLY)
            self._cpu_entries = tuple(self._open(group / _GROUP / "tasks", os.O_WRONLY) for group in cpu_groups)
            self.init_entry_fds = (self._open(pids / _GROUP / "tasks", os.O_WRONLY),)
            self._memory = MemoryGroupV1(memory / _GROUP)
        except JailError:
            self._give_up()
            raise
        except OSError as error:
            self._give_up()
            hint = "needs root and writable cgroup mounts for memory, pids and cpuacct"
            raise JailError("create cgroup", str(error.filename or name), error.errno or 0, hint) from error

    def _give_up(self) -> None:
        with contextlib.suppress(JailError):
            self.close()

    @property
    def membership_marker(self) -> str:
        return f"/{self._name}/{_GROUP}"

    @property
    def program_entry_fds(self) -> tuple[int, ...]:
        return self._memory_group().entry_fd, *self._cpu_entries

    @property
    def oom_event(self) -> tuple[int, int] | None:
        return self._memory_group().eventfd, select.POLLIN

    def acknowledge_oom_event(self) -> None:
        self._memory_group().acknowledge_oom_event()

    def _open(self, path: Path, flags: int) -> int:
        fd = os.open(path, flags | os.O_CLOEXEC)
        self._fds.append(fd)
        return fd

    def _memory_group(self) -> MemoryGroupV1:
        if self._memory is None:
            raise JailError("use the memory group", self._name, hint="it could not be made anew; open a new slot")
        return self._memory

    def prepare(self, limits: Limits) -> Counters:
        """Set the limits, in a new memory group if the last run left memory in it."""
        try:
            memory = self._memory_group()
            memory.check_swap()
            if memory.usage_bytes > HARMLESS_BYTES:
                memory = self._new_memory_group(memory)
            memory.set_limit(limits.memory_bytes)
            memory.reset_peak()
            os.pwrite(self._pids_max, str(limits.process_bound).encode(), 0)
        except OSError as error:
            raise JailError("set cgroup limits", self._name, error.errno or 0) from error
        return self.read()

    def bound_sockets(self, most_bytes: int) -> None:
        try:
            self._memory_group().bound_sockets(most_bytes)
        except OSError as error:
            raise JailError("bound the memory of sockets", self._name, error.errno or 0) from error

    def prefer(self) -> None:
        try:
            if self._share is not None:
                prefer_slot_v1(self._share)
        except OSError as error:
            raise JailError("prefer a cgroup", self._name, error.errno or 0) from error

    def _new_memory_group(self, last: MemoryGroupV1) -> MemoryGroupV1:
        await_older_groups(lambda: self._held_bytes() - undroppable(last.stat(), last.usage_bytes), self._name)
        self._memory = None
        last.close()
        self._memory = MemoryGroupV1(self._slots["memory"] / _GROUP)
        return self._memory

    def _held_bytes(self) -> int:
        """Return the memory of all memory groups of this slot, including removed ones."""
        stat = flat_keyed(os.pread(self._slot_stat, 8192, 0))
        return undroppable(stat, int(os.pread(self._slot_usage, 32, 0)), "total_")

    def read(self) -> Counters:
        memory = self._memory_group()
        try:
            peak_bytes, oom_kills = memory.peak_bytes, memory.oom_kills
            return Counters(
                memory_now_bytes=memory.usage_bytes,
                memory_peak_bytes=peak_bytes,
                oom_kills=oom_kills,
                limit_hits=oom_kills if memory.is_at_limit(peak_bytes) else 0,
                cpu_usage_usec=self.cpu_usage_usec(),
                process_count=self.process_count(),
                fork_refusals=flat_keyed(os.pread(self._pids_events, 256, 0)).get("max", 0),
            )
        except (OSError, ValueError, KeyError) as error:
            raise JailError("read cgroup counters", self._name, getattr(error, "errno", 0) or 0) from error

    def cpu_usage_usec(self) -> int:
        """Return the CPU time of the group. The kernel counts nanoseconds."""
        return int(os.pread(self._cpu, 32, 0)) // 1000

    def members(self) -> tuple[list[int], list[int]]:
        group = self._slots["pids"] / _GROUP
        return read_members(group / "cgroup.procs", group / "tasks")

    def memory_pressure(self) -> tuple[int, int]:
        """Return refaulted file pages, and rss + shmem."""
        stat = self._memory_group().stat()
        return refaulted_pages(stat), stat.get("rss", 0) + stat.get("shmem", 0)

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        if self._memory is not None:
            self._memory.close_files()
            self._memory = None
        remove_groups([group for slot in self._slots.values() for group in (slot / _GROUP, slot)])
