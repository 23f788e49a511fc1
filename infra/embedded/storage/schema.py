"""The SQLite file: its schema, the migrations to it, and the checks before it is used."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from infra.embedded.errors import StoreUnusableError

if TYPE_CHECKING:
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
