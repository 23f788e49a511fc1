"""Whether the pids group may still count a fork that it refuses, though the program has failed already.

copy_process() of the kernel looks at RLIMIT_NPROC first and at the group last, and a fork on its way counts for the
first from its beginning. With init, which is in the group only, the group is the narrower one. But of several forks at
once RLIMIT_NPROC refuses the last one while those before it are still on their way to the group, and of these the group
refuses at least one: that is what the verdict PLE goes by. A program that ends at once when it was refused, as the
usual fork bomb does, is over before that. So init leaves it unreaped, for its place must not become free, and the
others are left alive a little longer.
"""

import os
import time

from sandbox_runtime.jail.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits

LOOK_MS = 1
_LONGEST_NS = 100_000_000  # a fork takes less than one; each process of the run may be before it on the CPUs


class LateRefusals:
    """Of one run. `start`: the groups' counters that it started from."""

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters) -> None:
        self._groups, self._bound, self._start = groups, limits.process_bound, start
        self._until_ns = 0

    def may_come(self, wait_status: int) -> bool:
        """Ask again and again while others of the run's processes live. `wait_status`: of the program, wait(2)."""
        if self._groups.is_sampled or not os.WIFEXITED(wait_status) or wait_status == 0:
            return False
        now_ns = time.monotonic_ns()
        self._until_ns = self._until_ns or now_ns + _LONGEST_NS
        counters = self._groups.read()
        if now_ns >= self._until_ns or counters.fork_refusals > self._start.fork_refusals:
            return False
        # Half as many as are allowed cannot have been too many with a fork of each on its way. But init may have reaped
        # some since then.
        return 4 * (counters.process_count - 1) > self._bound
