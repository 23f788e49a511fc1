"""Remove a slot's groups: all that can be removed, whatever one of them says."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from sandbox_runtime.jail.errors import JailError


def remove_groups(directories: Iterable[Path]) -> None:
    """In this order. Raises JailError for the last one that stays: a process in it is still dying."""
    kept: OSError | None = None
    for directory in directories:
        try:
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()
        except OSError as error:
            kept = error
    if kept is not None:
        raise JailError("remove cgroup", str(kept.filename or ""), kept.errno or 0) from kept
