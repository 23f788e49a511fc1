"""Remove a slot's groups. One that cannot be removed does not keep the others."""

import contextlib
import errno
import time
from collections.abc import Iterable
from pathlib import Path

from sandbox_runtime.jail.errors import JailError

# A dying process leaves its group late, on a busy host even after its parent has reaped it. Nothing reports this, so we
# retry.
_LONGEST_SECS = 5.0
_PAUSE_SECS = 0.005


def remove_groups(directories: Iterable[Path]) -> None:
    """Remove the groups in this order. Raises JailError for the last one that stays, because a process does not die."""
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
