"""How long a run wanted a CPU and got none, because others had them all.

Threads of one run also wait for each other, which is the run's own doing. So we compare the time in which at least one
of its threads could run with the CPU time of the whole run: only time beyond that was lost to others. More threads make
the second figure larger and the first one not.

Each thread's time comes from proc_pid_schedstat, exact to a few milliseconds. A thread that a look sees for the first
time has no earlier figure: if it can run now it counts for the whole interval. Looks come at random moments, so this is
right on average for programs of many short processes too, and no program can arrange to be seen at its best. One such
look alone decides nothing: the largest estimate is left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A look costs some 15 us a thread. The oldest threads are those that a run waits for.
_MOST_THREADS = 64
_SHORTEST_INTERVAL_NS = 50_000_000
_RUNNABLE = "R"  # of proc_pid_stat(5)
_READ_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """`runnable_ns`: on a CPU or in the queue for one, since it began. `is_runnable`: at this moment."""

    runnable_ns: int
    is_runnable: bool


class CpuWait:
    """Of one run. All times are of one monotonic clock; CPU times count from the start of the program."""

    def __init__(self, started_ns: int) -> None:
        self._looked_ns, self._used_ns = started_ns, 0
        self._threads: Mapping[int, ThreadTime] = {}
        self._queued: dict[int, int] = {}  # what was counted of waits that go on
        self._certain_ns = self._likely_ns = self._largest_estimate_ns = 0

    def is_due(self, now_ns: int) -> bool:
        """Whether the last look is long enough ago."""
        return now_ns - self._looked_ns >= _SHORTEST_INTERVAL_NS

    def add(self, now_ns: int, used_ns: int, threads: Mapping[int, ThreadTime]) -> None:
        """One look: CPU time of the whole run until now, and its threads by id."""
        interval_ns, used_since_ns = now_ns - self._looked_ns, used_ns - self._used_ns
        known_ns, is_new_runnable = 0, False
        queued: dict[int, int] = {}
        for number, thread in threads.items():
            before = self._threads.get(number)
            if before is not None:
                own_ns = thread.runnable_ns - before.runnable_ns - self._queued.get(number, 0)
                if thread == before and thread.is_runnable:
                    # In the queue since before the last look: the kernel counts a wait when it is over.
                    own_ns = interval_ns
                    queued[number] = self._queued.get(number, 0) + interval_ns
                known_ns = max(known_ns, min(own_ns, interval_ns))
            elif thread.is_runnable:
                is_new_runnable = True
        # Of threads seen twice each interval stands for itself; an estimate may only be judged over all of them.
        self._certain_ns += max(0, known_ns - used_since_ns)
        self._likely_ns += (interval_ns if is_new_runnable else known_ns) - used_since_ns
        if is_new_runnable:
            self._largest_estimate_ns = max(self._largest_estimate_ns, interval_ns)
        self._queued = queued
        self._looked_ns, self._used_ns, self._threads = now_ns, used_ns, threads

    @property
    def usec(self) -> int:
        """The time that was lost to others."""
        return max(self._certain_ns, self._likely_ns - self._largest_estimate_ns, 0) // 1000


def read_threads(numbers: Iterable[int]) -> dict[int, ThreadTime]:
    """Of the oldest of them, by id. A thread that is gone, or that the kernel has no figures of, is left out."""
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
