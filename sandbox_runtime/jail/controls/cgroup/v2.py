"""cgroup v2: one tree, `Documentation/admin-guide/cgroup-v2`.

    <base>/rustbox-<pid>-<start>/                 cpu.weight of all programs
    <base>/rustbox-<pid>-<start>/<slot>/          pids.max of the whole run, init included; its share of the CPUs
                                        init/     process 1
                                        program/  memory.max, memory.oom.group, cpu.stat

The program's group is replaced if the last run left memory in it, see `HARMLESS_BYTES`, and for each run on kernels
before 6.12, which cannot reset `memory.peak`. From Linux 6.11 on, a refused fork counts in the group with the limit;
before that, in the group of the forking process. So we read both counters.
"""

import contextlib
import os
import select
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup.interface import (
    HARMLESS_BYTES,
    CommonGroups,
    Counters,
    await_older_groups,
    flat_keyed,
    make_cpu_share_v2,
    prefer_slot_v2,
    read_members,
    refaulted_pages,
    refuse_unbounded_swap,
    remove_groups,
    undroppable,
)
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

_SWAP_LIMIT = "memory.swap.max"  # there only with swap accounting


class GroupsV2(CommonGroups):
    """Groups `<base>/<name>`. Files that are read in every run stay open."""

    backend = "cgroup_v2"

    def __init__(self, base: Path, name: str) -> None:
        self._slot, self._name = base / name, name
        self._fds: list[int] = []
        self._program_fds: list[int] = []
        try:
            # The groups may exist: a slot of this name was closed while one of its processes was still dying.
            self._slot.mkdir(parents=True, exist_ok=True)
            # Controllers are handed down one level at a time.
            for directory in (self._slot.parent, self._slot):
                (directory / "cgroup.subtree_control").write_text("+memory +pids")
            self.shares_cpu = make_cpu_share_v2(self._slot)
            (self._slot / "init").mkdir(exist_ok=True)
            self._pids_max = self._open(self._fds, self._slot / "pids.max", os.O_RDWR)
            self._pids_now = self._open(self._fds, self._slot / "pids.current", os.O_RDONLY)
            self._pids_events = self._open(self._fds, self._slot / "pids.events", os.O_RDONLY)
            self._slot_usage = self._open(self._fds, self._slot / "memory.current", os.O_RDONLY)
            self._slot_stat = self._open(self._fds, self._slot / "memory.stat", os.O_RDONLY)
            self.init_entry_fds = (self._open(self._fds, self._slot / "init" / "cgroup.procs", os.O_WRONLY),)
            self._make_program_group()
            self._peak_resets = self._try_reset_peak()
        except JailError:
            self._give_up()
            raise
        except OSError as error:
            self._give_up()
            hint = "needs root and a writable cgroup2 mount with the memory and pids controllers"
            raise JailError("create cgroup", str(error.filename or name), error.errno or 0, hint) from error

    def _open(self, owner: list[int], path: Path, flags: int) -> int:
        fd = os.open(path, flags | os.O_CLOEXEC)
        owner.append(fd)
        return fd

    def _make_program_group(self) -> None:
        group, fds = self._slot / "program", self._program_fds
        group.mkdir(exist_ok=True)
        (group / "memory.oom.group").write_text("1")
        self._limits_swap = (group / _SWAP_LIMIT).exists()
        if self._limits_swap:
            (group / _SWAP_LIMIT).write_text("0")
        self._check_swap()
        self._limit = self._open(fds, group / "memory.max", os.O_RDWR)
        self._peak = self._open_peak(group / "memory.peak")
        self._usage = self._open(fds, group / "memory.current", os.O_RDONLY)
        self._events = self._open(fds, group / "memory.events", os.O_RDONLY)
        self._stat = self._open(fds, group / "memory.stat", os.O_RDONLY)
        self._cpu = self._open(fds, group / "cpu.stat", os.O_RDONLY)
        self._fork_events = self._open(fds, group / "pids.events", os.O_RDONLY)
        self.program_entry_fds = (self._open(fds, group / "cgroup.procs", os.O_WRONLY),)

    def _open_peak(self, path: Path) -> int:
        """Open it for writing if possible. Before Linux 6.12 it is read-only, also for a container's root."""
        try:
            return self._open(self._program_fds, path, os.O_RDWR)
        except PermissionError:
            return self._open(self._program_fds, path, os.O_RDONLY)

    def _check_swap(self) -> None:
        if not self._limits_swap:
            refuse_unbounded_swap(self._name)

    def _give_up(self) -> None:
        with contextlib.suppress(JailError):
            self.close()

    def _close_program_files(self) -> None:
        for fd in self._program_fds:
            os.close(fd)
        self._program_fds.clear()

    def _try_reset_peak(self) -> bool:
        try:
            os.pwrite(self._peak, b"reset", 0)
        except OSError:
            return False
        return True

    @property
    def membership_marker(self) -> str:
        return f"/{self._name}/program"

    @property
    def oom_event(self) -> tuple[int, int] | None:
        """`memory.events`. A change is an exceptional condition for poll; ordinary readiness means nothing."""
        return self._events, select.POLLPRI

    def acknowledge_oom_event(self) -> None:
        """Reading the file takes the event."""
        os.pread(self._events, 256, 0)

    def prepare(self, limits: Limits) -> Counters:
        """Set the limits, in a new program group if the last run left memory in it or its peak cannot be reset."""
        self._check_swap()
        try:
            if self._peak_resets and self._usage_bytes() <= HARMLESS_BYTES:
                os.pwrite(self._peak, b"reset", 0)
            else:
                await_older_groups(self._held_by_older_groups, self._name)
                self._close_program_files()
                remove_groups([self._slot / "program"])
                self._make_program_group()
            os.pwrite(self._limit, str(limits.memory_bytes).encode(), 0)
            os.pwrite(self._pids_max, str(limits.process_bound).encode(), 0)
        except OSError as error:
            raise JailError("set cgroup limits", self._name, error.errno or 0) from error
        return self.read()

    def prefer(self) -> None:
        try:
            if self.shares_cpu:
                prefer_slot_v2(self._slot)
        except OSError as error:
            raise JailError("prefer a cgroup", self._name, error.errno or 0) from error

    def _usage_bytes(self) -> int:
        return int(os.pread(self._usage, 32, 0))

    def _held_by_older_groups(self) -> int:
        """Return the memory that is still charged to removed program groups of this slot."""
        slot = undroppable(flat_keyed(os.pread(self._slot_stat, 8192, 0)), int(os.pread(self._slot_usage, 32, 0)))
        return slot - undroppable(flat_keyed(os.pread(self._stat, 8192, 0)), self._usage_bytes())

    def read(self) -> Counters:
        try:
            events = flat_keyed(os.pread(self._events, 256, 0))
            return Counters(
                memory_now_bytes=self._usage_bytes(),
                memory_peak_bytes=int(os.pread(self._peak, 32, 0)),
                oom_kills=events["oom_kill"],
                limit_hits=events["oom"],  # the program's group has no groups below it, so these are its own
                cpu_usage_usec=self.cpu_usage_usec(),
                process_count=self.process_count(),
                fork_refusals=sum(map(self._refusals, (self._pids_events, self._fork_events))),
            )
        except (OSError, ValueError, KeyError) as error:
            raise JailError("read cgroup counters", self._name, getattr(error, "errno", 0) or 0) from error

    @staticmethod
    def _refusals(fd: int) -> int:
        """Read a counter of refused forks. In one of the two groups it stays 0, see above."""
        return flat_keyed(os.pread(fd, 256, 0)).get("max", 0)

    def cpu_usage_usec(self) -> int:
        """Return the CPU time of the program's group, which exists without the cpu controller too."""
        return flat_keyed(os.pread(self._cpu, 1024, 0))["usage_usec"]

    def members(self) -> tuple[list[int], list[int]]:
        """List the members, without init, which has a group of its own."""
        group = self._slot / "program"
        return read_members(group / "cgroup.procs", group / "cgroup.threads")

    def memory_pressure(self) -> tuple[int, int]:
        """Return refaulted file pages, and anon + shmem."""
        stat = flat_keyed(os.pread(self._stat, 8192, 0))
        return refaulted_pages(stat), stat.get("anon", 0) + stat.get("shmem", 0)

    def close(self) -> None:
        """Close the files and remove the groups, leaves first."""
        self._close_program_files()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        remove_groups([self._slot / "program", self._slot / "init", self._slot])
