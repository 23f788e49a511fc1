"""Stop all that still runs of a run whose program has ended, before it is killed: it shall do nothing more."""

import contextlib
import os
import signal
from collections.abc import Iterator
from itertools import batched
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import SlotGroups

_AT_ONCE = 64  # descriptors
_HALTED = frozenset("TtZX")  # proc_pid_stat(5): stopped, a zombie, dead


def halt(groups: SlotGroups) -> bool:
    """Whether nothing goes on any more; else ask again. A call that one of them was in has ended then, fork(2) too.

    Who is stopped in the middle of such a call stops at its end, and whoever it made is a new member. Init is stopped
    with them where it is one. Raises JailError.
    """
    for pids in batched(groups.members()[0], _AT_ONCE, strict=False):
        with contextlib.ExitStack() as opened:
            found = dict(_open(pids, opened))
            # Another process may have got the number of one that died; it is no member.
            for pid in found.keys() & groups.members()[0]:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(found[pid], signal.SIGSTOP)
    return all(_is_halted(thread) for thread in groups.members()[1])


def _open(pids: tuple[int, ...], opened: contextlib.ExitStack) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            opened.callback(os.close, descriptor)
            yield pid, descriptor


def _is_halted(thread: int) -> bool:
    try:
        facts = Path(f"/proc/{thread}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    # The name comes before it, in parentheses, and may hold any bytes.
    return chr(facts[facts.rindex(b")") + 2]) in _HALTED
