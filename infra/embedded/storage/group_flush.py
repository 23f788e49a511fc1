"""Group commit: commits do not wait for the disk; `flush` does, once for all threads and processes that wait with it.

A page of memory that all processes share counts the commits, and how many of them are on the disk.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from typing import TYPE_CHECKING, Final

from infra.embedded.errors import ServiceError
from infra.embedded.storage.trouble import Trouble

if TYPE_CHECKING:
    from pathlib import Path

_COUNTERS_NAME: Final = "flush.counters"
_LOCK_NAME: Final = "flush.lock"
_UNAVAILABLE: Final = 503

# Numbers in the page.
_STEPS: Final = 0
"""Twice the number of commits, and one more while a commit is under way, or after its process died in it."""
_FLUSHED: Final = 1
"""So many commits are on the disk."""
_FAILED: Final = 2
"""Error number of a flush that failed."""


class Counters:
    """Of all processes that use the folder. Forked processes share it."""

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder / _COUNTERS_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, mmap.PAGESIZE)  # a full disk fails here, in place of at the first use
            self._numbers = memoryview(mmap.mmap(descriptor, mmap.PAGESIZE)).cast("Q")
        finally:
            os.close(descriptor)

    def reset(self) -> None:
        """Begin again, when nothing else writes. The first flush writes what an earlier process has left in the log."""
        self._numbers[_STEPS] = 2
        for number in (_FLUSHED, _FAILED):
            self._numbers[number] = 0

    def begin_commit(self) -> None:
        """Count a commit before anybody can read it. The caller holds the writers' lock."""
        self._numbers[_STEPS] = (self._numbers[_STEPS] + 1) | 1  # odd, also after a process that died in its commit

    def end_commit(self) -> None:
        """Count it as done when a flush is sure to write it."""
        self._numbers[_STEPS] += 1

    def visible(self) -> int:
        """Return how many commits a reader may have seen by now."""
        return (self._numbers[_STEPS] + 1) // 2

    def done(self) -> int:
        """Return how many commits a flush that begins now writes for sure."""
        return self._numbers[_STEPS] // 2

    def find_failure(self) -> Trouble | None:
        """Tell of a failed flush. The kernel reports a lost page once, and the next flush succeeds without it."""
        if not (code := self._numbers[_FAILED]):
            return None
        cause = f"the disk has failed ({os.strerror(code)})"
        return Trouble(cause, f"{cause}, and writes may be lost: check it, then start again")

    def is_flushed(self, commits: int) -> bool:
        """Tell whether so many commits are on the disk. Raises ServiceError after a failed flush."""
        if (failure := self.find_failure()) is not None:
            raise ServiceError("ServiceUnavailable", failure.detail, _UNAVAILABLE)
        return self._numbers[_FLUSHED] >= commits

    def flushed(self, commits: int) -> None:
        """Note that so many commits are on the disk."""
        self._numbers[_FLUSHED] = commits

    def fail(self, error: OSError) -> None:
        """Refuse all flushes until the next start."""
        self._numbers[_FAILED] = error.errno or 1


class GroupFlush:
    """The flushes of one process: make it after a fork."""

    def __init__(self, folder: Path, log: Path, counters: Counters) -> None:
        self._log = log
        self._counters = counters
        self._threads = threading.Lock()
        self._lock = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._opened: int | None = None

    def flush(self, commits: int) -> None:
        """Return when so many commits are on the disk. A flush under way may have begun too early: wait for the next.

        Raises ServiceError.
        """
        if self._counters.is_flushed(commits):
            return
        with self._threads:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                if not self._counters.is_flushed(commits):
                    self._flush()
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _flush(self) -> None:
        covered = self._counters.done()
        try:
            descriptor = self._open_log()
        except FileNotFoundError:  # the last connection was closed, which put all of it into the file
            self._counters.flushed(covered)
            return
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            self._counters.fail(error)
            raise
        self._counters.flushed(covered)

    def _open_log(self) -> int:
        """Open the log once: a write that failed, as in a checkpoint of SQLite, is not told to those who open it later.

        https://www.kernel.org/doc/html/latest/core-api/errseq.html
        """
        found = self._log.stat()
        if self._opened is not None:
            if os.path.samestat(found, os.fstat(self._opened)):
                return self._opened
            self._close_log()
        self._opened = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        return self._opened

    def _close_log(self) -> None:
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None

    def close(self) -> None:
        """End all use."""
        self._close_log()
        os.close(self._lock)
