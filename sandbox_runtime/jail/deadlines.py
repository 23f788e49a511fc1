"""When a run must be stopped, and when to look at its counters next."""

import os
import time

from sandbox_runtime.jail.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits, StopReason

_NS, _USEC = 1_000_000_000, 1_000_000
SETUP_SECS = 10.0
_SHORTEST_CHECK_NS = 2_000_000
_LONGEST_CHECK_NS = 250_000_000
_THRASH_NS = 1_000_000_000
_THRASH_SHARE = 0.97


class Deadlines:
    """Wall time, CPU time of the whole group, out-of-memory kills and thrashing of one run.

    CPU is checked at the earliest moment at which the group could have used up its limit on all CPUs, so a run
    costs few wake-ups and an overrun stays in the order of milliseconds.
    """

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters) -> None:
        self._groups, self._limits, self._start = groups, limits, start
        self._cpus = os.cpu_count() or 1
        now = time.monotonic_ns()
        self._wall_ns = now + int(SETUP_SECS * _NS)
        self._next_check_ns = now + _LONGEST_CHECK_NS
        self._running = False
        self._hits = start.memory_limit_hits
        self._thrashing_since_ns: int | None = None

    def program_started(self, at_ns: int) -> None:
        """From here on the wall limit counts, instead of the time allowed for setting up."""
        self._running = True
        self._wall_ns = at_ns + int(self._limits.wall_time_secs * _NS)
        self._next_check_ns = at_ns + self._cpu_slack_ns(0)

    def timeout_ms(self) -> int:
        """How long poll may wait, rounded up."""
        return max(0, (min(self._wall_ns, self._next_check_ns) - time.monotonic_ns()) // 1_000_000 + 1)

    def check_soon(self) -> None:
        """Something happened in the memory group: look at the counters as soon as may be."""
        self._next_check_ns = time.monotonic_ns() + _SHORTEST_CHECK_NS

    def due(self) -> StopReason:
        """Why the run must be stopped now, or NONE."""
        now = time.monotonic_ns()
        if now >= self._next_check_ns:
            counters = self._groups.read()
            if counters.oom_kills > self._start.oom_kills:
                return StopReason.OOM_KILL
            used_usec = counters.cpu_usage_usec - self._start.cpu_usage_usec
            if used_usec >= self._limits.cpu_time_secs * _USEC:
                return StopReason.CPU_LIMIT
            if self._is_thrashing(now):
                return StopReason.MEMORY_THRASH
            self._next_check_ns = now + self._cpu_slack_ns(used_usec)
        return StopReason.WALL_LIMIT if now >= self._wall_ns else StopReason.NONE

    @property
    def setup_overran(self) -> bool:
        """A wall stop before the program started is our failure, not the guest's."""
        return not self._running

    def _cpu_slack_ns(self, used_usec: int) -> int:
        left_ns = int((self._limits.cpu_time_secs * _USEC - used_usec) * 1000) // self._cpus
        return min(max(left_ns, _SHORTEST_CHECK_NS), _LONGEST_CHECK_NS)

    def _is_thrashing(self, now: int) -> bool:
        """Whether the group keeps hitting its limit while heap and shared memory fill it.

        Such a group lives on evicting its own program text; the kernel may take very long to call that out of memory.
        """
        hits, resident_bytes = self._groups.memory_pressure()
        pressed = hits > self._hits and resident_bytes >= self._limits.memory_bytes * _THRASH_SHARE
        self._hits = hits
        if not pressed:
            self._thrashing_since_ns = None
            return False
        if self._thrashing_since_ns is None:
            self._thrashing_since_ns = now
        return now - self._thrashing_since_ns >= _THRASH_NS
