"""Reasons why the engine's file cannot be used for now: a full disk, or a file that is not in its place any more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LEAST_FREE_BYTES: Final = 1024 * 1024


class Trouble(NamedTuple):
    """`cause` names no path: anybody may read it. `detail` is for the operator, with the way out.

    `stops_all`: what is answered now could be lost.
    """

    cause: str
    detail: str
    stops_all: bool = True


class Places:
    """Where files were when they were opened. A file that was deleted or moved keeps its writes from the next start."""

    def __init__(self) -> None:
        self._noted: dict[Path, tuple[int, int]] = {}

    def note(self, paths: Iterable[Path]) -> None:
        """Note open files."""
        self._noted = {path: identity for path in paths if (identity := _identify(path)) is not None}

    @property
    def is_empty(self) -> bool:
        """Whether no file was noted."""
        return not self._noted

    def find_lost(self) -> Trouble | None:
        """Name the first file that is not in its place any more."""
        for path, noted in self._noted.items():
            if _identify(path) != noted:
                detail = f"{path} was deleted, moved or replaced while it is in use, and nothing is written any more"
                return Trouble("the state file is not in its place any more", f"{detail}: {_WAY_OUT}")
        return None


_WAY_OUT: Final = "move it back, or stop and restore a backup"


def find_full(folder: Path) -> Trouble | None:
    """Tell of a disk that is full, or nearly so."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    if disk.f_bavail * disk.f_frsize >= _LEAST_FREE_BYTES:
        return None
    return Trouble("the disk is full", f"the disk of {folder} is full: free some space", stops_all=False)


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - each write calls it: a third of the time of Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino
