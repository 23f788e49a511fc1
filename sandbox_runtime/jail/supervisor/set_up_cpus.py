"""Choose the CPU on which a run is set up. Optional; docs/performance.md has the gain.

The kernel starts a forked process on the idlest CPU, whose caches hold nothing of the template. So the template, and
with it the set-up of a run, stays on one CPU. Before guest code the run gets all CPUs back, see `inside.program`.
"""

import os
import random
from collections.abc import Collection
from contextlib import suppress
from threading import Lock


class SetUpCpus:
    """Shared by the slots of a runner. `cpus`: their numbers, at least one. Use it from any thread."""

    def __init__(self, cpus: Collection[int]) -> None:
        self.cpus = tuple(sorted(cpus))
        self._runs = dict.fromkeys(self.cpus, 0)
        self._lock = Lock()

    def take(self, last: int | None) -> int:
        """Count one run more on a CPU with the fewest, and return its number: `last` if it is one of these."""
        with self._lock:
            fewest = min(self._runs.values())
            free = [cpu for cpu, runs in self._runs.items() if runs == fewest]
            # Any of them, so that several runners of a host do not all choose the first one.
            cpu = last if last in free else random.choice(free)  # noqa: S311 - no secret
            self._runs[cpu] += 1
            return cpu

    def give_back(self, cpu: int) -> None:
        """Count one run less."""
        with self._lock:
            self._runs[cpu] -= 1


class SlotCpu:
    """The CPU of one slot's template. `shared`: None leaves the choice to the kernel."""

    def __init__(self, shared: SetUpCpus | None) -> None:
        self._shared = shared
        self._taken: int | None = None
        self._pinned: int | None = None

    def pin(self, template_pid: int) -> None:
        """Choose a CPU for the next run, and move the template there. The choice holds until `release`."""
        if self._shared is None or self._taken is not None:
            return
        self._taken = self._shared.take(self._pinned)
        if self._taken != self._pinned:
            # The host may have taken this CPU away, or the template may be dead.
            with suppress(OSError):
                os.sched_setaffinity(template_pid, {self._taken})
                self._pinned = self._taken

    def release(self) -> None:
        """Give the CPU back to the choice. The template stays there until the next run."""
        if self._shared is not None and self._taken is not None:
            self._shared.give_back(self._taken)
            self._taken = None
