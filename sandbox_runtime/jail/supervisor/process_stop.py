"""The remaining processes of a run whose program has ended: are they running? Stop them (SIGSTOP) before the kill."""

import contextlib
import os
import signal
from collections.abc import Iterator
from itertools import batched
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import SlotGroups

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
