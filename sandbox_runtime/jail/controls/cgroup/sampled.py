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
    """Stands for `SlotGroups` where no groups can be made."""

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

    def take_process_tables(self, fds: list[int]) -> None:
        """Take over the directory of the template's own /proc."""
        (proc_fd,) = fds
        self._table = ProcessTable(proc_fd)

    def take_mounts(self, fds: list[int]) -> None:
        """Take over descriptors of the run's private mounts. Data stored in them counts as the run's memory."""
        self._mount_fds += fds

    def acknowledge_oom_event(self) -> None:
        """Do nothing: there is no such event."""

    def bound_sockets(self, most_bytes: int) -> None:
        """Refuse it: samples do not see this memory."""
        raise JailError("bound the memory of sockets", str(most_bytes), hint="a run with network needs control groups")

    def prefer(self) -> None:
        """Do nothing: there are no shares."""

    def prepare(self, limits: Limits) -> Counters:
        """Forget the last run."""
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
            limit_hits=0,
            cpu_usage_usec=self._most_usec,
            process_count=len(processes),
            fork_refusals=0,
        )

    def settle(self, cpu_usec: int, largest_bytes: int) -> None:
        """Take the kernel's final figures: CPU time of init and its reaped children, and their largest memory.

        A small program shows the template's memory, because its process was a copy of the template before exec.
        """
        self._release_mounts()
        self._most_usec = max(self._most_usec, cpu_usec)
        self._peak_bytes = max(self._peak_bytes, largest_bytes)

    def cpu_usage_usec(self) -> int:
        """Return the CPU time of the run so far."""
        return self.read().cpu_usage_usec

    def process_count(self) -> int:
        """Sample the run, and return the number of its processes."""
        return self.read().process_count

    def members(self) -> tuple[list[int], list[int]]:
        """Return nothing: there is no group."""
        return [], []

    def memory_pressure(self) -> tuple[int, int]:
        """Return zeros: without a group there is no pressure."""
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
        """Return the larger of two sums. Neither exceeds the real CPU time.

        The first adds the times of children that parents waited for; it misses parents that ignore SIGCHLD. The second
        adds the last sample of each process; it misses short-lived processes.
        """
        by_parents = sum(process.own_usec * (not process.is_init) + process.children_usec for process in processes)
        now = {process.identity: process.own_usec for process in processes if not process.is_init}
        self._gone_usec += sum(usec for identity, usec in self._living.items() if identity not in now)
        self._living = now
        return max(by_parents, self._gone_usec + sum(now.values()))

    def _memory_bytes(self, table: ProcessTable, guests: list[Process]) -> int:
        """Add the data in the private mounts and the guests' memory that cannot be dropped.

        The cheap sum counts a shared page once for each process. Above the limit we compute the exact sum.
        """
        facts = [os.fstatvfs(fd) for fd in self._mount_fds]
        stored_bytes = sum((fact.f_blocks - fact.f_bfree) * fact.f_frsize for fact in facts)
        used_bytes = sum(table.resident_bytes(guest.pid) for guest in guests)
        if len(guests) > 1 and stored_bytes + used_bytes > self._limit_bytes:
            used_bytes = _exact_bytes(table, guests)
        return stored_bytes + used_bytes


def _exact_bytes(table: ProcessTable, guests: list[Process]) -> int:
    """Count each page once. Forked processes share pages; a child of vfork(2) uses all of its parent's memory.

    We count a parent's suspended threads first, and read the memory of its children afterwards. A child that executes a
    program in between is left out once; the next sample counts it.
    """
    suspended = {guest.pid: table.suspended_threads(guest.pid) for guest in guests}
    shares = {guest.pid: table.share_bytes(guest.pid) for guest in guests}
    total_bytes = sum(shares.values())
    for parent, count in suspended.items():
        # The children whose size is nearest to the parent's are those that use its memory.
        sizes = [shares[guest.pid] for guest in guests if guest.parent == parent]
        by_likeness = sorted((abs(size - shares[parent]), size) for size in sizes)
        total_bytes -= sum(size for _, size in by_likeness[:count])
    return total_bytes
