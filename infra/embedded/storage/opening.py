"""Opens the file at a start: checks that it is the one that belongs here, and puts all of its log into it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from infra.embedded.errors import StoreUnusableError
from infra.embedded.storage import schema
from infra.embedded.storage.dropped_frames import count_dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


def open_prepared(
    path: Path, log: Path, companions: Sequence[Path], connect: Callable[[], sqlite3.Connection]
) -> tuple[sqlite3.Connection, int]:
    """Create the file or bring it to this version, whole and on the disk. Nothing else uses it.

    `companions`: files that exist only beside a file with tables. Returns a connection, and how many damaged frames of
    the log SQLite dropped. Raises StoreUnusableError.
    """
    try:
        if not path.exists() or path.stat().st_size == 0:
            _refuse_loss(path, (log, *companions))
        path.touch(mode=0o600)
        connection = connect()
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    except OSError as error:
        raise StoreUnusableError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        dropped = _recover(connection, path, log, companions)
        schema.prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection, dropped


def _recover(connection: sqlite3.Connection, path: Path, log: Path, companions: Iterable[Path]) -> int:
    try:
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            _refuse_loss(path, companions)
        _, used, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    return count_dropped(log, used, page_bytes)


def _refuse_loss(path: Path, others: Iterable[Path]) -> None:
    for other in others:
        if other.exists() and other.stat().st_size > 0:
            problem = f"{path} is missing or empty, but {other.name} beside it is not"
            way_out = f"restore a backup, or move {path.parent} aside to start with an empty state"
            raise StoreUnusableError(f"{problem}: {way_out}")


def _unusable(path: Path, error: sqlite3.DatabaseError) -> StoreUnusableError:
    return StoreUnusableError(f"{path} cannot be opened ({error}): restore a backup, or move the file aside")
