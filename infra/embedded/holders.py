"""Processes that hold messages, as `pid:start`: a pid alone may belong to another process by now.

A process that calls for clients of its own names each of them behind a slash: `pid:start/client`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

# proc_pid_stat(5), counted behind the command's name: field 3 is the state, field 22 the start in ticks since boot.
_STATE, _START = 0, 19


def identify(pid: int) -> str:
    """Return the identity of a process. That of one which has ended has no start."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{pid}:"
    fields = text.rpartition(")")[2].split()
    return f"{pid}:" if fields[_STATE] in {"Z", "X"} else f"{pid}:{fields[_START]}"


@cache
def identify_live(pid: int) -> str:
    """Identify this process or one that it was forked from: a live one's identity does not change."""
    return identify(pid)


def is_alive(identity: str) -> bool:
    """Tell whether this very process still runs. Of a client: the process that calls for it."""
    process = identity.partition("/")[0]
    pid, _, started = process.partition(":")
    return started != "" and identify(int(pid)) == process
