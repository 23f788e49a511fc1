"""Where no groups can be made: usage of a run as /proc shows it, looked at again and again.

An ordinary user's template lives in a pid namespace of its own, so its /proc lists the template (1), the run's init
and the guests, and nothing else: no process can hide from the sum by changing its parent. What groups can and this
cannot: count a process that lives between two looks and whose parent does not wait for it, refuse memory in the kernel,
tell a refused fork. So the controls that groups give stay in `controls_missing`.
"""

import contextlib
import os
from dataclasses import dataclass

from sandbox_runtime.jail.cgroup.interface import Counters
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

_TEMPLATE = "1"
_FILE_BYTES = 4096
# Of proc_pid_stat(5), counted behind the command name: parent, utime, stime, cutime, cstime, starttime.
_PARENT, _TIMES, _CHILD_TIMES, _START = 1, slice(11, 13), slice(13, 15), 19
_RESIDENT_KEYS, _SHARE_KEYS = (b"RssAnon:", b"RssShmem:"), (b"Pss_Anon:", b"Pss_Shmem:")
_USEC_PER_TICK = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Process:
    identity: tuple[str, bytes]  # pid and start time: a pid alone is used again
    is_init: bool
    own_usec: int
    children_usec: int  # of children that it waited for


class SampledUsage:
    """`SlotGroups` without groups. `attach` must come before the first run."""

    backend: str | None = None
    is_sampled = True
    membership_marker = ""
    init_entry_fds: tuple[int, ...] = ()
    program_entry_fds: tuple[int, ...] = ()
    oom_event: tuple[int, int] | None = None

    def __init__(self) -> None:
        self._proc_fd = -1
        self._mount_fds: list[int] = []
        self._living: dict[tuple[str, bytes], int] = {}
        self._gone_usec = self._most_usec = self._peak_bytes = self._limit_bytes = 0

    def attach(self, proc_fd: int) -> None:
        """`proc_fd`: directory of the template's own /proc. Owned from here on."""
        self._proc_fd = proc_fd

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
        """Look at every process of the run."""
        processes = self._processes()
        memory_bytes = self._memory_bytes(processes)
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
        """What the kernel says after the end: CPU time of init and all that was waited for, and the largest of them.

        Before its exec the guest's process was a copy of the template's: a small program shows that one's size.
        """
        self._release_mounts()
        self._most_usec = max(self._most_usec, cpu_usec)
        self._peak_bytes = max(self._peak_bytes, largest_bytes)

    def cpu_usage_usec(self) -> int:
        """CPU time of the run until now."""
        return self.read().cpu_usage_usec

    def memory_pressure(self) -> tuple[int, int]:
        """Nothing is refused, so nothing is hit."""
        return 0, 0

    def close(self) -> None:
        """Close what was attached."""
        self._release_mounts()
        if self._proc_fd >= 0:
            os.close(self._proc_fd)
            self._proc_fd = -1

    def _release_mounts(self) -> None:
        for fd in self._mount_fds:
            os.close(fd)
        self._mount_fds.clear()

    def _memory_bytes(self, processes: list[_Process]) -> int:
        """What is stored in the private mounts, and pages of the guests that cannot be dropped.

        The cheap sum counts a page that forked processes share once for each. Only when that is too much is every page
        divided by its owners, proc_pid_smaps(5), which walks page tables.
        """
        facts = [os.fstatvfs(fd) for fd in self._mount_fds]
        stored_bytes = sum((fact.f_blocks - fact.f_bfree) * fact.f_frsize for fact in facts)
        guests = [process.identity[0] for process in processes if not process.is_init]
        resident_bytes = sum(self._kib_lines(name, "status", _RESIDENT_KEYS) for name in guests)
        if len(guests) > 1 and stored_bytes + resident_bytes > self._limit_bytes:
            shares_bytes = sum(self._kib_lines(name, "smaps_rollup", _SHARE_KEYS) for name in guests)
            resident_bytes = min(resident_bytes, shares_bytes or resident_bytes)
        return stored_bytes + resident_bytes

    def _cpu_usec(self, processes: list[_Process]) -> int:
        """The larger of two sums, neither above the truth.

        One adds what parents know of children that they waited for, the other what was last seen of each process;
        a parent that ignores SIGCHLD escapes the first, a child that is short-lived the second.
        """
        by_parents = sum(process.own_usec * (not process.is_init) + process.children_usec for process in processes)
        now = {process.identity: process.own_usec for process in processes if not process.is_init}
        self._gone_usec += sum(usec for identity, usec in self._living.items() if identity not in now)
        self._living = now
        return max(by_parents, self._gone_usec + sum(now.values()))

    def _names(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._proc_fd) if name.isdigit() and name != _TEMPLATE]
        except OSError as error:
            raise JailError("read process table", "/proc", error.errno or 0) from error

    def _processes(self) -> list[_Process]:
        """Those that were there before and after: the time of one that ended may be in its parent's already."""
        found = []
        for name in self._names():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                found.append(self._process(name))
        still_there = set(self._names())
        return [process for process in found if process.identity[0] in still_there]

    def _process(self, name: str) -> _Process:
        # The command name is the guest's choice and may hold anything, but the last ")" is the kernel's.
        words = self._text(f"{name}/stat").rpartition(b")")[2].split()
        try:
            return _Process(
                identity=(name, words[_START]),
                is_init=words[_PARENT] == _TEMPLATE.encode(),
                own_usec=sum(map(int, words[_TIMES])) * _USEC_PER_TICK,
                children_usec=sum(map(int, words[_CHILD_TIMES])) * _USEC_PER_TICK,
            )
        except (IndexError, ValueError) as error:
            raise JailError("read process table", f"/proc/{name}/stat") from error

    def _kib_lines(self, name: str, file: str, keys: tuple[bytes, ...]) -> int:
        """Bytes of the `key: n kB` lines. In `status` the kernel escapes line ends of the command name."""
        try:
            text = self._text(f"{name}/{file}")
        except OSError:  # it ended meanwhile, or hides
            return 0
        return sum(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(keys))

    def _text(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc_fd)
        try:
            return os.read(fd, _FILE_BYTES)
        finally:
            os.close(fd)
