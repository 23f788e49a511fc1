"""Backups of the engine's folder, taken while processes use it. Master keys are never part of one.

A backup is one SQLite file: the tables as they are, and one more with the files of large objects, in pieces.
"""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from infra.embedded.engine import MasterKeys
from infra.embedded.errors import StoreUnusableError
from infra.embedded.storage.files import OBJECTS_FOLDER, PIECE_BYTES, ObjectFiles, find_named, sync
from infra.embedded.storage.store import FILE_NAME, MARK_NAME, MIGRATIONS, keep_log, require_log


def back_up(folder: Path, target: Path) -> None:
    """Write one committed state to `target`, whole or not at all; writers go on.

    An earlier backup of this name stays until the new one is on the disk. Raises StoreUnusableError.
    """
    source, draft = folder / FILE_NAME, target.with_name(target.name + ".new")
    if not source.exists():
        raise StoreUnusableError(f"{source} does not exist: there is nothing to back up")
    require_log(folder)
    try:
        with _only_draft(folder, draft):
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with ObjectFiles(folder).kept() as objects:
                with closing(sqlite3.connect(source, timeout=30)) as connection:
                    keep_log(connection)
                    # Not a copy of the pages: deleted rows must not be in the backup.
                    connection.execute("VACUUM INTO ?", (str(draft),))
                _require_whole(draft)
                _take_files(draft, objects)
            sync(draft)
            draft.replace(target)
            sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusableError(f"the backup {target} cannot be written: {error}") from error


def _take_files(draft: Path, objects: Path) -> None:
    """Copy the files that rows of the draft name into it. A file that is lost already is in no backup."""
    if not objects.exists():  # also in a state of an earlier version
        return
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE object_file_piece (file TEXT NOT NULL, number INTEGER NOT NULL, body BLOB)")
        for name in sorted(find_named(connection)):
            with suppress(FileNotFoundError), (objects / name).open("rb") as file:
                for number, piece in enumerate(iter(partial(file.read, PIECE_BYTES), b"")):
                    connection.execute("INSERT INTO object_file_piece VALUES (?, ?, ?)", (name, number, piece))


def _put_files(draft: Path, folder: Path) -> None:
    """Write the files of a draft into the folder, each whole or not at all, and take them out of the draft."""
    objects = folder / OBJECTS_FOLDER
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'object_file_piece'").fetchone():
            return
        objects.mkdir(mode=0o700, exist_ok=True)
        pieces = connection.execute("SELECT file, body FROM object_file_piece ORDER BY rowid")
        for name, of_file in groupby(pieces, itemgetter(0)):
            path = objects / f"{name}.new"
            with path.open("wb") as file:
                file.writelines(body for _, body in of_file)
            sync(path)
            path.replace(objects / name)
        sync(objects)
        connection.execute("DROP TABLE object_file_piece")
        connection.execute("VACUUM")


@contextmanager
def _only_draft(folder: Path, draft: Path) -> Iterator[None]:
    """Let one backup at a time write its draft. First remove that of one which was killed."""
    with (folder / "backup.draft").open("a+", encoding="utf-8", errors="surrogateescape") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        note.seek(0)
        if left := note.read():
            _discard(Path(left))
        note.truncate(0)
        with suppress(OSError):  # this disk is full, which the backup may be made for
            note.write(str(draft.absolute()))
            note.flush()
        _discard(draft)
        try:
            yield
        finally:
            _discard(draft)
            note.truncate(0)


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
            kept = _keep_earlier(path)
            _put_files(draft, folder)
            sync(draft)
            draft.replace(path)
            sync(folder)
        finally:
            _discard(draft)
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
    (path.parent / MARK_NAME).unlink(missing_ok=True)  # the log goes into its file, or aside
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
    if (objects := path.parent / OBJECTS_FOLDER).exists():  # the files never change: links are as good as copies
        shutil.copytree(objects, kept / OBJECTS_FOLDER, copy_function=os.link)
    return kept
