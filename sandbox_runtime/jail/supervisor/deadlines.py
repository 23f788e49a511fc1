"""Decide when a run must be stopped, and when to read its counters next."""

import os
import random
import time

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits, StopReason, own_time
from sandbox_runtime.jail.supervisor.cpu_wait import CpuWait, read_threads
from sandbox_runtime.jail.supervisor.setup_timeout import SETUP_TIMEOUT

_NS, _USEC = 1_000_000_000, 1_000_000
_SHORTEST_CHECK_NS = 2_000_000
_LONGEST_CHECK_NS = 250_000_000
_SHORTEST_OVERTIME_NS = 50_000_000
_RANDOM = random.SystemRandom()
_EARLIEST_CHECK = 0.6  # of the longest pause; random, so that a program cannot predict the next check
_CPUS = os.cpu_count() or 1  # cached: the call reads a file
# Thrashing: heap and shared memory fill the group up to _THRASH_SHARE, and within _THRASH_NS the kernel reads this many
# evicted pages again (80 MB). A runtime in this state reads about 200,000 pages a second.
_THRASH_NS = 1_000_000_000
_THRASH_SHARE = 0.85
_THRASH_PAGES = 20_000
# Less CPU time than this in `Limits.idle_secs` counts as idle: a waiting runtime still runs timers.
_IDLE_USEC = 20_000


class Deadlines:
    """Limits of one run: wall time, CPU time of the group, out-of-memory kills, thrashing and idle time.

    The wall limit is for the time that the host gave to the run. If others had the CPUs for a part of it, the run goes
    on for as long, at most for `overtime_secs`, until it has used up its CPU time or its own wall time.

    CPU time is checked at the earliest moment at which the group could reach its limit on all CPUs. So a run costs few
    wake-ups, and an overrun is a few milliseconds.
    """

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters, overtime_secs: float = 0) -> None:
        self._groups, self._limits, self._start = groups, limits, start
        self._overtime_ns = int(overtime_secs * _NS)
        self._limit_ns = int(limits.wall_time_secs * _NS)
        now = time.monotonic_ns()
        self._wall_ns = now + int(SETUP_TIMEOUT.secs * _NS)
        self._next_check_ns = now + _LONGEST_CHECK_NS
        self._running = False
        self._started_ns = now
        self._cpu_wait = CpuWait(now)
        self._pressed_since: tuple[int, int] | None = None  # time in ns, pages read again by then
        self._busy_at: tuple[int, int] = (now, 0)  # time in ns, us of CPU wanted by then

    def program_started(self, at_ns: int) -> None:
        """Start the wall limit, which replaces the limit of the set-up."""
        self._running = True
        self._started_ns = at_ns
        self._cpu_wait = CpuWait(at_ns)
        self._wall_ns = at_ns + self._limit_ns
        self._next_check_ns = at_ns + self._slack_ns(0)
        self._busy_at = (at_ns, 0)

    def timeout_ms(self) -> int:
        """How long poll(2) may wait, rounded up."""
        return max(0, (min(self._wall_ns, self._next_check_ns) - time.monotonic_ns()) // 1_000_000 + 1)

    def check_soon(self) -> None:
        """Read the counters soon, because the memory group has reported an event."""
        self._next_check_ns = time.monotonic_ns() + _SHORTEST_CHECK_NS

    def due(self) -> StopReason:
        """The reason to stop the run now, or NONE."""
        now = time.monotonic_ns()
        if now >= self._next_check_ns:
            counters = self._groups.read()
            if counters.oom_kills > self._start.oom_kills:
                return StopReason.OOM_KILL
            used_usec = counters.cpu_usage_usec - self._start.cpu_usage_usec
            if self._running and self._cpu_wait.is_due(now):
                self._sample_threads(now, used_usec)
            if used_usec >= self._limits.cpu_time_secs * _USEC:
                return StopReason.CPU_LIMIT
            if self._is_thrashing(now):
                return StopReason.MEMORY_THRASH
            if self._is_idle(now, used_usec + self.cpu_wait_usec):  # waiting for a CPU is not idle
                return StopReason.IDLE
            self._next_check_ns = now + self._slack_ns(used_usec)
        return StopReason.NONE if now < self._wall_ns else self._at_wall_limit(now)

    def _at_wall_limit(self, now: int) -> StopReason:
        """CPU time decides first, then the run's own wall time. If it has some of both left, move the wall limit."""
        if not self._running:
            return StopReason.WALL_LIMIT
        used_usec = self._groups.cpu_usage_usec() - self._start.cpu_usage_usec
        if used_usec >= self._limits.cpu_time_secs * _USEC:
            return StopReason.CPU_LIMIT
        self._sample_threads(now, used_usec)
        elapsed_ns = now - self._started_ns
        left_ns = self._limit_ns - own_time(elapsed_ns, self.cpu_wait_usec * 1000)
        if left_ns <= 0:
            return StopReason.WALL_LIMIT
        overtime_left_ns = self._limit_ns + self._overtime_ns - elapsed_ns
        if overtime_left_ns <= 0:
            return StopReason.HOST_OVERLOADED
        self._wall_ns = now + max(min(left_ns, overtime_left_ns), _SHORTEST_OVERTIME_NS)
        return StopReason.NONE

    def _sample_threads(self, now_ns: int, used_usec: int) -> None:
        self._cpu_wait.add(now_ns, used_usec * 1000, read_threads(self._groups.members()[1]))

    @property
    def cpu_wait_usec(self) -> int:
        """How long the run waited for a CPU until the last sample."""
        return self._cpu_wait.usec

    @property
    def setup_overran(self) -> bool:
        """Whether the wall limit was reached before the program started: our failure, not the guest's."""
        return not self._running

    def _slack_ns(self, used_usec: int) -> int:
        """Time until the CPU limit could be reached at the earliest, with all CPUs in use."""
        left_ns = int((self._limits.cpu_time_secs * _USEC - used_usec) * 1000) // _CPUS
        longest_ns = int(_LONGEST_CHECK_NS * _RANDOM.uniform(_EARLIEST_CHECK, 1))
        return min(max(left_ns, _SHORTEST_CHECK_NS), longest_ns)

    def _is_idle(self, now: int, wanted_usec: int) -> bool:
        """Whether the program has used no CPU for `idle_secs`. No outside event could wake it, so it would hang."""
        if self._limits.idle_secs == 0 or not self._running:
            return False
        if abs(wanted_usec - self._busy_at[1]) >= _IDLE_USEC:  # `abs`: the estimated wait may also shrink
            self._busy_at = (now, wanted_usec)
        return now - self._busy_at[0] >= self._limits.idle_secs * _NS

    def _is_thrashing(self, now: int) -> bool:
        """Whether the group keeps evicting its own program text and reading it again.

        The kernel may take very long to report out of memory here, because every allocation succeeds in the end.
        """
        refaulted_pages, resident_bytes = self._groups.memory_pressure()
        if resident_bytes < self._limits.memory_bytes * _THRASH_SHARE:
            self._pressed_since = None
            return False
        if self._pressed_since is None:
            self._pressed_since = now, refaulted_pages
        since_ns, pages_before = self._pressed_since
        if now - since_ns < _THRASH_NS:
            return False
        self._pressed_since = now, refaulted_pages
        return refaulted_pages - pages_before >= _THRASH_PAGES
