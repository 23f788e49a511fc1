"""Estimate how long a run was runnable but got no CPU, because other processes used all CPUs.

Threads of one run also wait for each other, which must not count. So we compare two times: the time in which at least
one thread of the run was runnable, and the CPU time of the whole run. Only the excess of the first one was lost to
other processes. More threads increase only the second one.

Thread times come from /proc/PID/schedstat, exact to a few milliseconds. A thread in its first sample has no earlier
value: if it is runnable, we count the whole interval. Samples are taken at random moments, so this is right on average
for programs of many short processes, and a program cannot time itself to the samples. The largest such estimate is
left out, so that one sample alone never decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
        """Whether the last sample is old enough for the next one."""
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
