"""Files that must survive a loss of power: the log of commits, flushed once for all that wait, and large objects."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple
from zlib import crc32

from infra.embedded.errors import ServiceError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

# Group commit: commits do not wait for the disk; `flush` does, once for all threads and processes that wait with it.
#
# A page of memory that all processes share counts the commits, and how many of them are on the disk.

# Files that must survive a loss of power.


def sync(path: Path) -> None:
    """Write a file to the disk; or a folder, with the names in it. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Reasons why the engine's file cannot be used for now: a full disk, or a file that is not in its place any more.

_LEAST_FREE_BYTES: Final = 1024 * 1024
_LOW_SHARE: Final = 0.1


class Trouble(NamedTuple):
    """`cause` names no path: anybody may read it. `detail` is for the operator, with the way out.

    `stops`: all answers, as what they tell could be lost; or writes; or nothing yet.
    """

    cause: str
    detail: str
    stops: Literal["all", "writes", "nothing"] = "all"


class Places:
    """Where files were when they were opened. A file that was deleted or moved keeps its writes from the next start."""

    def __init__(self) -> None:
        self._noted: dict[Path, tuple[int, int]] = {}

    def note(self, paths: Iterable[Path]) -> None:
        self._noted = {path: identity for path in paths if (identity := _identify(path)) is not None}

    @property
    def is_empty(self) -> bool:
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
    """Tell of a disk that is full, or will be."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    if disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES:
        return Trouble("the disk is full", f"the disk of {folder} is full: free some space", "writes")
    if disk.f_bavail < disk.f_blocks * _LOW_SHARE:
        cause = "less than 10 % of the disk is free"
        detail = f"{cause}, {folder}: free some space; a full disk refuses all writes"
        return Trouble(cause, detail, "nothing")
    return None


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - each write calls it: a third of the time of Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
_VERSIONS: Final = range(16, mmap.PAGESIZE // 8)
"""Each is that of all partitions with one checksum."""


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
        for number in (_FLUSHED, _FAILED, *_VERSIONS):
            self._numbers[number] = 0

    def begin_commit(self) -> None:
        """Count a commit before anybody can read it. The caller holds the writers' lock."""
        self._numbers[_STEPS] = (self._numbers[_STEPS] + 1) | 1  # odd, also after a process that died in its commit

    def end_commit(self) -> None:
        """Count it as done when a flush is sure to write it."""
        self._numbers[_STEPS] += 1

    def change(self, pk: str) -> None:
        """Note that a commit has changed an item of a partition: numbers of commits are never the same."""
        self._numbers[_VERSIONS[crc32(pk.encode()) % len(_VERSIONS)]] = self._numbers[_STEPS]

    def version(self, pk: str) -> int:
        """Return another number after each change of an item of a partition."""
        return self._numbers[_VERSIONS[crc32(pk.encode()) % len(_VERSIONS)]]

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
        self._close_log()
        os.close(self._lock)


# Large objects: each is a file of its own, beside the database.
#
# A file has a random name and never changes. It is whole and on the disk before a row names it, and goes after its
# row. Files without a row are left by processes that died; housekeeping removes them.

OBJECTS_FOLDER: Final = "objects"
PIECE_BYTES: Final = 1024 * 1024
_OBJECTS_LOCK_NAME: Final = "objects.lock"
_UNUSED_SECS: Final = 3600
"""A file that was written within this time may get its row yet."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """`md5` and `sha256` are of the content. `name`: None for content that is no file."""

    name: str | None
    size: int
    md5: bytes
    sha256: bytes


class ObjectFiles:
    """The files of one engine's folder. Each method raises OSError, as for a full disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / OBJECTS_FOLDER
        self._lock_path = folder / _OBJECTS_LOCK_NAME

    @contextmanager
    def written(self, pieces: Iterable[bytes], most_bytes: int) -> Iterator[WrittenFile]:
        """Write a file, on the disk when the block begins. The block commits its row; a failure removes the file.

        Raises ValueError for more than `most_bytes`.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name, size = secrets.token_hex(16), 0
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        path = self._folder / name
        try:
            with path.open("xb") as file:
                for piece in pieces:
                    size += len(piece)
                    if size > most_bytes:
                        raise ValueError(f"more than {most_bytes} bytes")  # noqa: TRY301 - as any other failure
                    md5.update(piece)
                    sha256.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            sync(self._folder)
            yield WrittenFile(name, size, md5.digest(), sha256.digest())
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def open(self, name: str) -> BinaryIO:
        """Open a file to read. Raises FileNotFoundError."""
        return (self._folder / name).open("rb")

    def remove(self, names: Iterable[str]) -> None:
        """Remove files whose rows are gone; during a backup they stay, and `remove_unused` takes them later."""
        with self._unlocked() as is_free:
            if is_free:
                for name in names:
                    (self._folder / name).unlink(missing_ok=True)

    def remove_unused(self, find_named: Callable[[], set[str]]) -> int:
        """Remove files that no row names and that are not new, and return how many. `find_named`: read the rows."""
        before = time.time() - _UNUSED_SECS
        try:
            with os.scandir(self._folder) as entries:
                old = {entry.name for entry in entries if entry.stat().st_mtime < before}
        except FileNotFoundError:
            return 0
        unused = old - find_named() if old else set()  # Order: the rows after the folder
        self.remove(unused)
        return len(unused)

    @contextmanager
    def kept(self) -> Iterator[Path]:
        """Remove no file within the block, whichever process asks. Yields the folder, which may not exist yet."""
        with self._opened_lock() as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield self._folder

    @contextmanager
    def _unlocked(self) -> Iterator[bool]:
        """Tell whether nobody keeps files now; nobody begins within the block."""
        with self._opened_lock() as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @contextmanager
    def _opened_lock(self) -> Iterator[int]:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def find_named(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT file FROM object WHERE file IS NOT NULL")}
