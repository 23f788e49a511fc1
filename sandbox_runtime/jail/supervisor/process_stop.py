"""Stop (SIGSTOP) the remaining processes of a run whose program has ended, before they are killed."""

import contextlib
import os
import signal
from collections.abc import Iterator
from itertools import batched
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import SlotGroups

_AT_ONCE = 64  # descriptors
_HALTED = frozenset("TtZX")  # proc_pid_stat(5): stopped, a zombie, dead


def stop_processes(groups: SlotGroups) -> bool:
    """Send SIGSTOP to all members. Returns whether all their threads are stopped; if not, call again.

    A process stops only after its present system call, so a fork(2) in progress still makes a new member.
    Init is stopped too if it is a member. Raises JailError.
    """
    for pids in batched(groups.members()[0], _AT_ONCE, strict=False):
        with contextlib.ExitStack() as opened:
            found = dict(_open(pids, opened))
            # A pid may have been reused since the list was read. Only a present member may get the signal.
            for pid in found.keys() & groups.members()[0]:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(found[pid], signal.SIGSTOP)
    return all(_is_stopped(thread) for thread in groups.members()[1])


def _open(pids: tuple[int, ...], opened: contextlib.ExitStack) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            opened.callback(os.close, descriptor)
            yield pid, descriptor


def _is_stopped(thread: int) -> bool:
    try:
        facts = Path(f"/proc/{thread}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    # The state follows the program's name, which is in parentheses and may hold any bytes.
    return chr(facts[facts.rindex(b")") + 2]) in _HALTED
