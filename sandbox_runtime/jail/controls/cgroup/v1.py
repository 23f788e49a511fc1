"""cgroup v1: a group per controller (memory, pids, cpuacct, cpu), `Documentation/admin-guide/cgroup-v1`.

Entry is by writing "0" to `tasks`: a thread that moves itself needs no RCU grace period, while writing a pid
to `cgroup.procs` waits for one (8 to 24 ms on busy hosts).
"""

import contextlib
import os
import select
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import cpu_share
from sandbox_runtime.jail.controls.cgroup.interface import (
    CommonGroups,
    Counters,
    flat_keyed,
    read_members,
    refaulted_pages,
)
from sandbox_runtime.jail.controls.cgroup.leftovers import HARMLESS_BYTES, await_older_groups, undroppable
from sandbox_runtime.jail.controls.cgroup.memory_v1 import MemoryGroupV1
from sandbox_runtime.jail.controls.cgroup.removal import remove_groups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

CONTROLLERS = ("memory", "pids", "cpuacct")
_GROUP = "program"


class GroupsV1(CommonGroups):
    """Groups `<base of each controller>/<name>/program`. Files that are read in every run stay open.

    A slot keeps its groups of pids, cpuacct and cpu. Its memory group may be replaced after a run, see `leftovers`.
    `<name>` counts the memory of all memory groups of the slot.
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
            share = cpu_share.make_share_v1(bases.get(cpu_share.CONTROLLER), name)
            self._share = share
            self.shares_cpu = share is not None
            if share is not None:
                self._slots[cpu_share.CONTROLLER] = share
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
        """The end of the groups' paths."""
        return f"/{self._name}/{_GROUP}"

    @property
    def program_entry_fds(self) -> tuple[int, ...]:
        """Entry descriptors of the memory group and of the CPU groups."""
        return self._memory_group().entry_fd, *self._cpu_entries

    @property
    def oom_event(self) -> tuple[int, int] | None:
        """An eventfd, registered with the group's oom_control."""
        return self._memory_group().eventfd, select.POLLIN

    def acknowledge_oom_event(self) -> None:
        """Reset the eventfd."""
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
        """Set the limit of the memory group."""
        try:
            self._memory_group().bound_sockets(most_bytes)
        except OSError as error:
            raise JailError("bound the memory of sockets", self._name, error.errno or 0) from error

    def prefer(self) -> None:
        """Raise the shares of the slot's group."""
        try:
            if self._share is not None:
                cpu_share.prefer_v1(self._share)
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
        """Read all counters."""
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
        """List the members, including init."""
        group = self._slots["pids"] / _GROUP
        return read_members(group / "cgroup.procs", group / "tasks")

    def memory_pressure(self) -> tuple[int, int]:
        """Return refaulted file pages, and rss + shmem."""
        stat = self._memory_group().stat()
        return refaulted_pages(stat), stat.get("rss", 0) + stat.get("shmem", 0)

    def close(self) -> None:
        """Close the files and remove the groups."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        if self._memory is not None:
            self._memory.close_files()
            self._memory = None
        remove_groups([group for slot in self._slots.values() for group in (slot / _GROUP, slot)])
