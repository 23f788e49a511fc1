"""Decide when a run must be stopped, and when to read its counters next."""

import os
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits, StopReason, own_time


@dataclass(slots=True)
class SetupTimeout:
    """For the start of a template, the set-up of a run and the end of killed processes. It ends steps that hang.

    It belongs to the host, so a process has one value. A command changes it once, before the first slot. No control and
    no limit of a program depends on it.
    """

    secs: float


SETUP_TIMEOUT = SetupTimeout(10.0)


# We estimate how long a run was runnable but got no CPU, because other processes used all CPUs.
#
# Threads of one run also wait for each other, which must not count. So we compare two times: the time in which at
# least one thread of the run was runnable, and the CPU time of the whole run. Only the excess of the first one was
# lost to other processes. More threads increase only the second one.
#
# Thread times come from /proc/PID/schedstat, exact to a few milliseconds. A thread in its first sample has no earlier
# value: if it is runnable, we count the whole interval. Samples are taken at random moments, so this is right on
# average for programs of many short processes, and a program cannot time itself to the samples. The largest such
# estimate is left out, so that one sample alone never decides.

# A sample costs about 15 us a thread. We sample the oldest threads: a run usually waits for these.
_MOST_THREADS = 64
_SHORTEST_INTERVAL_NS = 50_000_000
_RUNNABLE = "R"  # of proc_pid_stat(5)
_READ_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """One sample of a thread. `runnable_ns`: time on a CPU or in a run queue since its start. `is_runnable`: now."""

    runnable_ns: int
    is_runnable: bool


class CpuWait:
    """The estimate of one run. Times are of the monotonic clock; CPU times count from the program's start."""

    def __init__(self, started_ns: int) -> None:
        self._looked_ns, self._used_ns = started_ns, 0
        self._threads: Mapping[int, ThreadTime] = {}
        self._queued: dict[int, int] = {}  # already counted, of waits that continue
        self._missing: dict[int, int] = {}  # of runnable threads: what the kernel may add when their wait is over
        self._certain_ns = self._likely_ns = self._largest_estimate_ns = 0

    def is_due(self, now_ns: int) -> bool:
        return now_ns - self._looked_ns >= _SHORTEST_INTERVAL_NS

    def add(self, now_ns: int, used_ns: int, threads: Mapping[int, ThreadTime]) -> None:
        """Add one sample. `used_ns`: CPU time of the whole run so far. `threads`: by thread id."""
        interval_ns, used_since_ns = now_ns - self._looked_ns, used_ns - self._used_ns
        known_ns, is_new_runnable = 0, False
        queued: dict[int, int] = {}
        missing: dict[int, int] = {}
        for number, thread in threads.items():
            before = self._threads.get(number)
            if before is not None:
                own_ns = thread.runnable_ns - before.runnable_ns - self._queued.get(number, 0)
                if thread == before and thread.is_runnable:
                    # It has waited since before the last sample: the kernel adds a wait only when it is over.
                    own_ns = interval_ns
                    queued[number] = self._queued.get(number, 0) + interval_ns
                most_ns = interval_ns + self._missing.get(number, 0)
                if thread.is_runnable:
                    missing[number] = max(0, most_ns - own_ns)
                known_ns = max(known_ns, min(own_ns, most_ns))
            elif thread.is_runnable:
                is_new_runnable = True
        # Intervals of threads sampled twice are certain one by one. Estimates are only right in sum.
        self._certain_ns += max(0, known_ns - used_since_ns)
        self._likely_ns += (interval_ns if is_new_runnable else known_ns) - used_since_ns
        if is_new_runnable:
            self._largest_estimate_ns = max(self._largest_estimate_ns, interval_ns)
        self._queued, self._missing = queued, missing
        self._looked_ns, self._used_ns, self._threads = now_ns, used_ns, threads

    @property
    def usec(self) -> int:
        """The time lost to other processes."""
        return max(self._certain_ns, self._likely_ns - self._largest_estimate_ns, 0) // 1000


def read_threads(numbers: Iterable[int]) -> dict[int, ThreadTime]:
    """Sample the oldest threads, by id. Leaves out threads that have ended or have no schedstat."""
    found = {}
    for number in sorted(numbers)[:_MOST_THREADS]:
        try:
            with open(f"/proc/{number}/schedstat", "rb", buffering=0) as file:
                ran_ns, waited_ns, _ = map(int, file.read(_READ_BYTES).split())
            with open(f"/proc/{number}/stat", "rb", buffering=0) as file:
                state = file.read(_READ_BYTES).rpartition(b")")[2].split()[0].decode()
        except (OSError, ValueError, IndexError):
            continue
        found[number] = ThreadTime(ran_ns + waited_ns, state == _RUNNABLE)
    return found


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
