"""Backups of the engine's file, taken while processes use it. Master keys are never part of one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from infra.embedded.errors import StoreUnusableError
from infra.embedded.kms_keys import MasterKeys
from infra.embedded.storage.durable import sync
from infra.embedded.storage.schema import MIGRATIONS
from infra.embedded.storage.store import FILE_NAME

if TYPE_CHECKING:
    from pathlib import Path


def back_up(folder: Path, target: Path) -> None:
    """Write one committed state to `target`, whole or not at all; writers go on.

    An earlier backup of this name stays until the new one is on the disk. Raises StoreUnusableError.
    """
    source, draft = folder / FILE_NAME, target.with_name(target.name + ".new")
    if not source.exists():
        raise StoreUnusableError(f"{source} does not exist: there is nothing to back up")
    try:
        _discard(draft)
        try:
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(source, timeout=30)) as connection:
                # Not a copy of the pages: deleted rows must not be in the backup.
                connection.execute("VACUUM INTO ?", (str(draft),))
            _require_whole(draft)
            sync(draft)
            draft.replace(target)
            sync(target.parent)
        finally:
            _discard(draft)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusableError(f"the backup {target} cannot be written: {error}") from error


def _discard(draft: Path) -> None:
    for suffix in ("", "-journal"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _require_whole(draft: Path) -> None:
    with closing(sqlite3.connect(draft)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        raise StoreUnusableError(f"{draft} would be empty, because the state is: look for its file first")


def restore(folder: Path, source: Path) -> Path | None:
    """Put a backup in place of the file. Nothing may use the folder.

    Returns the folder of the earlier file, None without one.
    Raises StoreUnusableError for a damaged or newer backup, and for one whose master keys are not in the folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, draft = folder / FILE_NAME, folder / "restored.new"
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            shutil.copyfile(source, draft)
            _check(draft, source, MasterKeys(folder))
            sync(draft)
            kept = _keep_earlier(path)
            draft.replace(path)
            sync(folder)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusableError(f"the backup {source} cannot be restored: {error}") from error
    return kept


def _check(draft: Path, source: Path, keys: MasterKeys) -> None:
    with closing(sqlite3.connect(draft)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreUnusableError(f"{source} was written by a newer version (schema {version}): use that version")
        if version == 0:
            raise StoreUnusableError(f"{source} is no backup of this service")
        (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise StoreUnusableError(f"{source} is damaged ({problem}): use another backup")
        keys.require_all(connection)


def _keep_earlier(path: Path) -> Path | None:
    """Keep the earlier file with its log beside it. The file itself stays in place until it is replaced.

    A log without its file is moved too: SQLite would take it for that of the backup.
    """
    logs = [log for suffix in ("-wal", "-shm") if (log := path.with_name(path.name + suffix)).exists()]
    if not path.exists() and not logs:
        return None
    kept = path.parent / f"before-restore-{time.strftime('%Y%m%d-%H%M%S')}"
    kept.mkdir(mode=0o700)
    # Into the file with the last writes: so an interruption from here on leaves it whole. It may be damaged.
    if path.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as earlier:
            earlier.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.link(path, kept / path.name)
    for log in logs:
        if log.exists():
            log.rename(kept / log.name)
    return kept
