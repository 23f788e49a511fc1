"""The SQLite file: its schema, the migrations to it, and the checks before it is used."""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
from typing import TYPE_CHECKING, Final

from infra.embedded.errors import StoreUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


# One script a version; the last one's number is the version of this code. Never change one that was released.
# Columns of keys have no type: text, bytes and numbers (see `values.sortable`) stay as they are given.
MIGRATIONS: Final = (
    """
    CREATE TABLE dynamo_table (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, spec TEXT NOT NULL);
    CREATE TABLE item (id INTEGER PRIMARY KEY, dynamo_table INTEGER NOT NULL, pk NOT NULL, sk NOT NULL, expires INTEGER,
                       body TEXT NOT NULL);
    CREATE UNIQUE INDEX item_key ON item (dynamo_table, pk, sk);
    CREATE INDEX item_expiry ON item (expires) WHERE expires IS NOT NULL;
    CREATE TABLE entry (dynamo_index INTEGER NOT NULL, hash NOT NULL, range NOT NULL, pk NOT NULL, sk NOT NULL,
                        item INTEGER NOT NULL, PRIMARY KEY (dynamo_index, hash, range, pk, sk)) WITHOUT ROWID;

    CREATE TABLE queue (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, attributes TEXT NOT NULL);
    CREATE TABLE message (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, tenant TEXT NOT NULL,
                          visible_ms INTEGER NOT NULL, sent_ms INTEGER NOT NULL, message_id TEXT NOT NULL,
                          receives INTEGER NOT NULL DEFAULT 0, first_received_ms INTEGER,
                          receipt TEXT, holder TEXT, source TEXT, body TEXT NOT NULL);
    CREATE INDEX message_order ON message (queue, tenant, visible_ms, id);
    CREATE INDEX message_visible ON message (queue, visible_ms);
    CREATE INDEX message_in_flight ON message (queue, tenant, visible_ms, holder) WHERE receipt IS NOT NULL;
    CREATE INDEX message_age ON message (sent_ms);

    CREATE TABLE bucket (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, expiration_days INTEGER);
    CREATE TABLE object (id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
                         etag TEXT NOT NULL, modified_ms INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE UNIQUE INDEX object_name ON object (bucket, name);
    CREATE INDEX object_age ON object (bucket, modified_ms);

    CREATE TABLE event_bus (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE parameter (name TEXT PRIMARY KEY, type TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
                            modified_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE kms_key (id TEXT PRIMARY KEY, description TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE kms_alias (name TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE stream_record (sequence INTEGER PRIMARY KEY, dynamo_table INTEGER NOT NULL,
                                created_ms INTEGER NOT NULL, event TEXT NOT NULL, keys TEXT NOT NULL,
                                by_expiry INTEGER NOT NULL);
    CREATE INDEX stream_order ON stream_record (dynamo_table, sequence);
    """,
    """
    ALTER TABLE message ADD COLUMN attributes TEXT
    """,
    """
    CREATE TABLE event_rule (bus TEXT, name TEXT, types TEXT NOT NULL, PRIMARY KEY (bus, name)) WITHOUT ROWID;
    CREATE TABLE event_target (bus TEXT, name TEXT, id TEXT, queue TEXT NOT NULL,
                               PRIMARY KEY (bus, name, id)) WITHOUT ROWID
    """,
    """
    ALTER TABLE object ADD COLUMN file TEXT;
    ALTER TABLE object ADD COLUMN size INTEGER;
    ALTER TABLE object ADD COLUMN sha256 TEXT;
    CREATE INDEX object_file ON object (file) WHERE file IS NOT NULL
    """,
    """
    CREATE TABLE lifecycle_rule (bucket INTEGER NOT NULL, prefix TEXT NOT NULL, days INTEGER NOT NULL,
                                 PRIMARY KEY (bucket, prefix)) WITHOUT ROWID;
    INSERT INTO lifecycle_rule SELECT id, '', expiration_days FROM bucket WHERE expiration_days IS NOT NULL
    """,
)
_CHECKED_BYTES: Final = 256 * 1024 * 1024
"""SQLite reads about 500 MB/s here. A larger file is only opened, so that the start stays quick."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check the file and bring it to this version, as one transaction. Raises StoreUnusableError."""
    try:
        if path.stat().st_size <= _CHECKED_BYTES:
            (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if problem != "ok":
                raise _damaged(path, problem)
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreUnusableError(
                f"{path} was written by a newer version (schema {version}, this one knows {len(MIGRATIONS)}): "
                "use that version, or another folder"
            )
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the whole file is on the disk from now on
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise StoreUnusableError(f"{path} cannot be used: {error}") from error
        raise _damaged(path, str(error)) from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _damaged(path: Path, problem: str) -> StoreUnusableError:
    return StoreUnusableError(
        f"{path} is damaged ({problem}): restore a backup, or move the file aside to start with an empty one"
    )


# Finds frames of the write-ahead log that SQLite dropped, because they or earlier ones are damaged.
#
# https://www.sqlite.org/fileformat2.html#the_write_ahead_log

_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, checkpoint, two salts, two checksums
_FRAME: Final = struct.Struct(">6I")  # page, pages after a commit, two salts, two checksums
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_MASK: Final = 0xFFFFFFFF


def count_dropped(log: Path, used: int, page_bytes: int) -> int:
    """Count the frames behind a wrong checksum. `used`: frames that SQLite took, the first ones of the log.

    Frames of a transaction that its process did not finish are whole, and not counted.
    """
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return 0
    frame_bytes = _FRAME.size + page_bytes
    with file:
        frames = (os.fstat(file.fileno()).st_size - _HEADER.size) // frame_bytes
        if frames <= used:
            return 0
        # Mapped, not read: beside a long reader, such as a backup, a log grows without a bound.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _count_dropped(content, used, frames, frame_bytes)


def _count_dropped(content: mmap.mmap, used: int, frames: int, frame_bytes: int) -> int:
    magic, *_, first, second = _HEADER.unpack_from(content)
    salts = content[_HEADER.size - 16 : _HEADER.size - 8]
    order = {_LITTLE: "<", _BIG: ">"}.get(magic)
    if order is None or _checksum(order, content[: _HEADER.size - 8], (0, 0)) != (first, second):
        return frames
    places = range(_HEADER.size + used * frame_bytes, _HEADER.size + frames * frame_bytes, frame_bytes)
    # Others are of an earlier use of the log, and in the file long since.
    mine = [at for at in places if content[at + 8 : at + 16] == salts]
    seed = _FRAME.unpack_from(content, places[0] - frame_bytes)[4:] if used else (first, second)
    for number, at in enumerate(mine):
        head = _FRAME.unpack_from(content, at)
        checked = content[at : at + 8] + content[at + _FRAME.size : at + frame_bytes]
        if at != places[number] or _checksum(order, checked, seed) != head[4:]:
            return len(mine) - number
        seed = head[4:]
    return 0


def _checksum(order: str, content: bytes, seed: tuple[int, ...]) -> tuple[int, int]:
    first, second = seed
    for one, other in struct.iter_unpack(f"{order}II", content):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second


# Opens the file at a start: checks that it is the one that belongs here, and puts all of its log into it.


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
        prepare(connection, path)
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
