"""Processes that hold messages, by identity: a pid alone may belong to another process by now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# proc_pid_stat(5), counted behind the command's name: field 3 is the state, field 22 the start in ticks since boot.
_STATE, _START = 0, 19


@dataclass(frozen=True, slots=True)
class Holder:
    """`started`: ticks since boot, 0 for a process that was gone when it was looked at."""

    pid: int
    started: int

    @staticmethod
    def of(pid: int) -> Holder:
        """Identify a process."""
        return Holder(pid, _started(pid))

    @staticmethod
    def this() -> Holder:
        """Identify this process, also after a fork."""
        return _of_live(os.getpid())

    @staticmethod
    def parse(text: str) -> Holder:
        """Parse a text of `str`."""
        pid, _, started = text.partition(":")
        return Holder(int(pid), int(started))

    def __str__(self) -> str:
        return f"{self.pid}:{self.started}"

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        return self.started != 0 and _started(self.pid) == self.started


@cache
def _of_live(pid: int) -> Holder:
    """Identify this process or one that it was forked from: a live one's identity does not change."""
    return Holder.of(pid)


def _started(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[_STATE] in {"Z", "X"} else int(fields[_START])
