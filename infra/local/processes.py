"""Processes by identity: a pid alone may have been given to someone else since it was written down."""

import json
import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# proc_pid_stat(5): field 22 is the start time in clock ticks since boot. Fields are counted
# behind the last ')' because the command name (field 2) may hold spaces and parentheses.
_START_TIME_FIELD = 22
_STATE_FIELD = 3


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A pid together with the start time of the process (clock ticks since boot)."""

    pid: int
    start_ticks: int


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a live process, None if there is none (a zombie is none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD - 3] in {"Z", "X"}:
        return None
    return ProcessIdentity(pid, int(fields[_START_TIME_FIELD - 3]))


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write JSON whole or not at all: whoever writes may be killed at any moment, and the next start reads it."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(record) + "\n", encoding="utf-8")
    draft.replace(path)


def read_process(path: Path) -> ProcessIdentity | None:
    """Return the process of a record, None where the file has none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return ProcessIdentity(**record.get("process", record))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def is_alive(process: ProcessIdentity) -> bool:
    """Tell whether this very process still runs, not another one with its pid."""
    return identify(process.pid) == process


def stop(process: ProcessIdentity, grace_secs: float) -> bool:
    """SIGTERM, wait, then SIGKILL. True if it ended by itself within the grace."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        # Order: the pidfd pins the process first, then its identity is checked; only so is it surely ours.
        if not is_alive(process):
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signal.SIGTERM)
        if _wait(fd, grace_secs):
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        _wait(fd, grace_secs)
        return False
    finally:
        os.close(fd)
        _reap(process.pid)


def _wait(fd: int, timeout_secs: float) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_secs * 1000))


def _reap(pid: int) -> None:
    """Collect the exit status if the process was our child; an adopted one is none."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
