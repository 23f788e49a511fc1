"""Whether the pids group may still count a fork that it refuses, though the program has failed already.

copy_process() of the kernel looks at RLIMIT_NPROC first and at the group last, and a fork on its way counts for the
first from its beginning. With init, which is in the group only, the group is the narrower one. But of several forks at
once RLIMIT_NPROC refuses the last one while those before it are still on their way to the group, and of these the group
refuses at least one: that is what the verdict PLE goes by. A program that ends at once when it was refused, as the
usual fork bomb does, is over before that. So init leaves it unreaped, for its place must not become free, and the
others are stopped before they are killed: a fork that was on its way goes on to its end, and nothing else does. While
the program came to its end init may have reaped others, and have made room for those on their way. Very many processes
are therefore left alive for a moment more: if they fork on, they are refused and counted.
"""

import os
import time

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.jail.supervisor.halt import halt

LOOK_MS = 1
_ALIVE_NS = 10_000_000
_LONGEST_NS = 100_000_000  # a fork takes less than one; each process of the run may be before it on the CPUs


class LateRefusals:
    """Of one run. `start`: the groups' counters that it started from."""

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters) -> None:
        self._groups, self._bound, self._start = groups, limits.process_bound, start
        self._begun_ns = 0

    def may_come(self, wait_status: int) -> bool:
        """Ask again and again while others of the run's processes live. `wait_status`: of the program, wait(2)."""
        if self._groups.is_sampled or not os.WIFEXITED(wait_status) or wait_status == 0:
            return False
        now_ns = time.monotonic_ns()
        self._begun_ns = self._begun_ns or now_ns
        counters, passed_ns = self._groups.read(), now_ns - self._begun_ns
        if passed_ns >= _LONGEST_NS or counters.fork_refusals > self._start.fork_refusals:
            return False
        # Half as many as are allowed cannot have been too many with a fork of each on its way. But init may have reaped
        # some since then.
        count = counters.process_count - 1
        if 4 * count <= self._bound:
            return False
        return (2 * count >= self._bound and passed_ns < _ALIVE_NS) or not halt(self._groups)
