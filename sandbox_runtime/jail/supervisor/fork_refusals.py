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
   They get CPU time, not time by the clock: on a busy host ten of them may not run at all within 10 ms.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from itertools import batched
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.spec import Limits

_AT_ONCE = 64  # descriptors
# States of proc_pid_stat(5).
_RUNNABLE = frozenset("RD")  # runs, waits for a CPU or for a disk
_HALTED = frozenset("TtZX")  # stopped, a zombie, dead


def is_any_runnable(groups: SlotGroups) -> bool:
    """Whether a thread of a member runs or could run. Raises JailError."""
    return any(_state(thread) in _RUNNABLE for thread in groups.members()[1])


def stop_processes(groups: SlotGroups) -> bool:
    """Send SIGSTOP to all members. Returns whether all their threads are stopped; if not, call again.

    A process stops only after its present system call, so a fork(2) in progress still makes a new member.
    Init is stopped too if it is a member. Raises JailError.
    """
    for pids in batched(groups.members()[0], _AT_ONCE):
        with contextlib.ExitStack() as opened:
            found = dict(_open(pids, opened))
            # A pid may have been reused since the list was read. Only a present member may get the signal.
            for pid in found.keys() & groups.members()[0]:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(found[pid], signal.SIGSTOP)
    return all(_state(thread) in _HALTED for thread in groups.members()[1])


def _open(pids: tuple[int, ...], opened: contextlib.ExitStack) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            opened.callback(os.close, descriptor)
            yield pid, descriptor


def _state(thread: int) -> str:
    """Return the state of a thread, one letter. `X` if it is gone, "" if it cannot be read."""
    try:
        facts = Path(f"/proc/{thread}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    except OSError:
        return ""
    # The state follows the program's name, which is in parentheses and may hold any bytes.
    return chr(facts[facts.rindex(b")") + 2])


LOOK_MS = 1
# 150 fork bombs of ten Python processes on an idle host of two CPUs: the refusal came after 17 ms by the clock at most.
_ALIVE_CPU_USEC = 30_000
# Only on a host that gives the processes no CPU time: 2 ms of it within 250 ms were seen.
_ALIVE_NS, _LONGEST_NS = 1_000_000_000, 2_000_000_000


class PendingRefusals:
    """The refusals of one run. `start`: the groups' counters at its start."""

    def __init__(self, groups: SlotGroups, limits: Limits, start: Counters) -> None:
        self._groups, self._bound, self._start = groups, limits.process_bound, start
        self._begun_ns = self._begun_cpu_usec = 0

    def may_come(self, wait_status: int) -> bool:
        """Whether the group may still count a refusal. Call it repeatedly while processes of the run live.

        `wait_status`: of the program, wait(2).
        """
        if not os.WIFEXITED(wait_status) or wait_status == 0:
            return False
        now_ns, counters = time.monotonic_ns(), self._groups.read()
        if self._begun_ns == 0:
            self._begun_ns, self._begun_cpu_usec = now_ns, counters.cpu_usage_usec
        waited_ns = now_ns - self._begun_ns
        if waited_ns >= _LONGEST_NS or counters.fork_refusals > self._start.fork_refusals:
            return False
        # With half of the allowed processes, one fork in progress for each could not reach the limit. We take a
        # quarter, because init may have reaped some meanwhile.
        count = counters.process_count - 1
        if 4 * count <= self._bound:
            return False
        used_usec = counters.cpu_usage_usec - self._begun_cpu_usec
        may_run = waited_ns < _ALIVE_NS and used_usec < _ALIVE_CPU_USEC
        if may_run and 2 * count >= self._bound and is_any_runnable(self._groups):
            return True
        return not stop_processes(self._groups)
