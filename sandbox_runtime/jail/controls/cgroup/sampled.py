"""Usage of a run without control groups: sampled from its process table.

No process can hide from the table by changing its parent. But unlike groups, sampling misses a process that lives
between two samples and that its parent does not wait for. It cannot refuse memory or count refused forks.
So the group controls stay in `controls_missing`.
"""

import os

from sandbox_runtime.jail.controls.cgroup.interface import Counters
from sandbox_runtime.jail.controls.cgroup.process_table import Process, ProcessTable
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits


class SampledUsage:
    """`SlotGroups` without groups. `attach` must come before the first run."""

    backend: str | None = None
    is_sampled = True
    shares_cpu = False
    membership_marker = ""
    init_entry_fds: tuple[int, ...] = ()
    program_entry_fds: tuple[int, ...] = ()
    oom_event: tuple[int, int] | None = None

    def __init__(self) -> None:
        self._table: ProcessTable | None = None
        self._mount_fds: list[int] = []
        self._living: dict[tuple[str, bytes], int] = {}
        self._gone_usec = self._most_usec = self._peak_bytes = self._limit_bytes = 0

    def attach(self, proc_fd: int) -> None:
        """`proc_fd`: directory of the template's own /proc. Owned from here on."""
        self._table = ProcessTable(proc_fd)

    def attach_mounts(self, fds: list[int]) -> None:
        """The run's private mounts: what is stored in them is its memory too. Owned from here on."""
        self._mount_fds += fds

    def acknowledge_oom_event(self) -> None:
        """There is none."""

    def prepare(self, limits: Limits) -> Counters:
        """Forget the run before."""
        self._release_mounts()
        self._living.clear()
        self._gone_usec = self._most_usec = self._peak_bytes = 0
        self._limit_bytes = limits.memory_bytes
        return self.read()

    def read(self) -> Counters:
        """Sample every process of the run."""
        if self._table is None:
            raise JailError("read process table", hint="the template has not sent its /proc")
        processes = self._table.processes()
        memory_bytes = self._memory_bytes(self._table, [process for process in processes if not process.is_init])
        self._peak_bytes = max(self._peak_bytes, memory_bytes)
        self._most_usec = max(self._most_usec, self._cpu_usec(processes))
        return Counters(
            memory_now_bytes=memory_bytes,
            memory_peak_bytes=self._peak_bytes,
            oom_kills=0,
            cpu_usage_usec=self._most_usec,
            process_count=len(processes),
            fork_refusals=0,
        )

    def settle(self, cpu_usec: int, largest_bytes: int) -> None:
        """Take the kernel's final figures: CPU time of init and its reaped children, and their largest memory.

        Before its exec the guest's process was a copy of the template's: a small program shows that one's size.
        """
        self._release_mounts()
        self._most_usec = max(self._most_usec, cpu_usec)
        self._peak_bytes = max(self._peak_bytes, largest_bytes)

    def cpu_usage_usec(self) -> int:
        """CPU time of the run until now."""
        return self.read().cpu_usage_usec

    def members(self) -> tuple[list[int], list[int]]:
        """There is no group."""
        return [], []

    def memory_pressure(self) -> tuple[int, int]:
        """Nothing is refused, so nothing is hit."""
        return 0, 0

    def close(self) -> None:
        """Close the attached descriptors."""
        self._release_mounts()
        if self._table is not None:
            self._table.close()
            self._table = None

    def _release_mounts(self) -> None:
        for fd in self._mount_fds:
            os.close(fd)
        self._mount_fds.clear()

    def _cpu_usec(self, processes: list[Process]) -> int:
        """The larger of two sums, neither above the truth.

        One adds what parents know of children that they waited for, the other what was last seen of each process;
        a parent that ignores SIGCHLD escapes the first, a child that is short-lived the second.
        """
        by_parents = sum(process.own_usec * (not process.is_init) + process.children_usec for process in processes)
        now = {process.identity: process.own_usec for process in processes if not process.is_init}
        self._gone_usec += sum(usec for identity, usec in self._living.items() if identity not in now)
        self._living = now
        return max(by_parents, self._gone_usec + sum(now.values()))

    def _memory_bytes(self, table: ProcessTable, guests: list[Process]) -> int:
        """Bytes stored in the private mounts, and pages of the guests that cannot be dropped.

        The cheap sum counts a page that processes share once for each; when it is too much, the exact one decides.
        """
        facts = [os.fstatvfs(fd) for fd in self._mount_fds]
        stored_bytes = sum((fact.f_blocks - fact.f_bfree) * fact.f_frsize for fact in facts)
        used_bytes = sum(table.resident_bytes(guest.pid) for guest in guests)
        if len(guests) > 1 and stored_bytes + used_bytes > self._limit_bytes:
            used_bytes = _exact_bytes(table, guests)
        return stored_bytes + used_bytes


def _exact_bytes(table: ProcessTable, guests: list[Process]) -> int:
    """Each page once: forked processes have their shares of it, and a child of vfork(2) uses its parent's memory whole.

    The parent's threads are counted before its children's memory is read: a child that has gone its own way by
    then is left out once, which the next look mends.
    """
    suspended = {guest.pid: table.suspended_threads(guest.pid) for guest in guests}
    shares = {guest.pid: table.share_bytes(guest.pid) for guest in guests}
    total_bytes = sum(shares.values())
    for parent, count in suspended.items():
        # Of all children those that are as large as the parent are the ones that use its memory.
        sizes = [shares[guest.pid] for guest in guests if guest.parent == parent]
        by_likeness = sorted((abs(size - shares[parent]), size) for size in sizes)
        total_bytes -= sum(size for _, size in by_likeness[:count])
    return total_bytes
