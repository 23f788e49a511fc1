"""Large objects: each is a file of its own, beside the database.

A file has a random name and never changes. It is whole and on the disk before a row names it, and goes after its row.
Files without a row are left by processes that died; housekeeping removes them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from infra.embedded.storage.group_flush import sync

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

OBJECTS_FOLDER: Final = "objects"
PIECE_BYTES: Final = 1024 * 1024
_LOCK_NAME: Final = "objects.lock"
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
        self._lock_path = folder / _LOCK_NAME

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
    """Return the names of all files that objects have."""
    return {name for (name,) in connection.execute("SELECT file FROM object WHERE file IS NOT NULL")}
