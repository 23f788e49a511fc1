"""Remove a slot's groups: all that can be removed, whatever one of them says."""

import contextlib
import errno
import time
from collections.abc import Iterable
from pathlib import Path

from sandbox_runtime.jail.errors import JailError

# A process leaves its group in the course of its death, on a busy host after its parent has reaped it. Nothing tells
# when: we try again.
_LONGEST_SECS = 5.0
_PAUSE_SECS = 0.005


def remove_groups(directories: Iterable[Path]) -> None:
    """In this order. Raises JailError for the last one that stays: a process in it does not die."""
    kept: OSError | None = None
    end = time.monotonic() + _LONGEST_SECS
    for directory in directories:
        try:
            _remove(directory, end)
        except OSError as error:
            kept = error
    if kept is not None:
        raise JailError("remove cgroup", str(kept.filename or ""), kept.errno or 0) from kept


def _remove(directory: Path, end: float) -> None:
    while True:
        try:
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_SECS)
        else:
            return
