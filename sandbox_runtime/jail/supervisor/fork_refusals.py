"""Wait for fork refusals that the pids group counts only after a failed program has ended. The verdict PLE needs them.

copy_process() of the kernel checks RLIMIT_NPROC first and the pids group last. A fork in progress counts for
RLIMIT_NPROC from its start. Init is in the group only, so the group has the lower limit for the program.
With several forks at once, RLIMIT_NPROC refuses the last one while earlier ones have not reached the group yet.
The group then refuses at least one of these. But a typical fork bomb exits at its first refusal, before the group
has counted any. So:

1. Init does not reap the program, because that would free one process of the limit.
2. We stop the other processes before we kill them. A fork in progress then completes, and no new one starts.
3. Init may have reaped other processes while the program ended, which made room for forks in progress.
   When very many processes are alive we therefore let them run a little longer: if they fork, the group counts it.
"""

import os
import time

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.jail.supervisor.process_stop import stop_processes

LOOK_MS = 1
_ALIVE_NS = 10_000_000
_LONGEST_NS = 100_000_000  # one fork takes under 1 ms, but all processes of the run may compete for the CPUs


class PendingRefusals:
    """The refusals of one run. `start`: the groups' counters at its start."""

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters) -> None:
        self._groups, self._bound, self._start = groups, limits.process_bound, start
        self._begun_ns = 0

    def may_come(self, wait_status: int) -> bool:
        """Whether the group may still count a refusal. Call it repeatedly while processes of the run live.

        `wait_status`: of the program, wait(2).
        """
        if self._groups.is_sampled or not os.WIFEXITED(wait_status) or wait_status == 0:
            return False
        now_ns = time.monotonic_ns()
        self._begun_ns = self._begun_ns or now_ns
        counters, passed_ns = self._groups.read(), now_ns - self._begun_ns
        if passed_ns >= _LONGEST_NS or counters.fork_refusals > self._start.fork_refusals:
            return False
        # With half of the allowed processes, one fork in progress for each could not reach the limit. We take a
        # quarter, because init may have reaped some meanwhile.
        count = counters.process_count - 1
        if 4 * count <= self._bound:
            return False
        return (2 * count >= self._bound and passed_ns < _ALIVE_NS) or not stop_processes(self._groups)
