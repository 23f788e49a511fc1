"""One SQLite file for many threads and processes. Transactions wait for each other; none fails as locked."""

import fcntl
import mmap
import os
import sqlite3
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from infra.embedded.errors import ServiceError, StoreUnusableError
from infra.embedded.storage.files import Counters, GroupFlush, Places, Trouble, find_full, sync

# One script a version; the last one's number is the version of this code. Never change one that was released.
# Columns of keys have no type: text, bytes and numbers (see `items.sortable`) stay as they are given.
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
            raise StoreUnusableError(_full(path.parent) or f"{path} cannot be used: {error}") from error
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
        require_log(path.parent)
        had_log = log.exists()
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
        keep_log(connection, is_kept=had_log)
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


MARK_NAME: Final = "in-use"
"""A file that is there from the start to a clean end. Without it, the log may be missing: all of it is in the file."""


def require_log(folder: Path) -> None:
    """Raise StoreUnusableError if the log was lost after an unclean end: the last answered writes were in it only."""
    mark, log = folder / MARK_NAME, folder / LOG_NAME
    if mark.exists() and not log.exists():
        problem = f"{log} is missing after an unclean end, and with it the last writes"
        raise StoreUnusableError(f"{problem}: move it back, restore a backup, or delete {mark} to go on without them")


def keep_log(connection: sqlite3.Connection, *, is_kept: bool = True) -> None:
    """Leave the log in place when the connection is closed, also as the last one."""
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept)


def _unusable(path: Path, error: sqlite3.DatabaseError) -> StoreUnusableError:
    problem = f"{path} cannot be opened ({error}): restore a backup, or move the file aside"
    return StoreUnusableError(_full(path.parent) or problem)


def _full(folder: Path) -> str | None:
    """Say that the disk is full, if it is. SQLite has several errors for that."""
    trouble = find_full(folder)
    return trouble.detail if trouble is not None and trouble.stops == "writes" else None


FILE_NAME: Final = "rustbox.sqlite"
LOG_NAME: Final = f"{FILE_NAME}-wal"
_LOOK_SECS: Final = 1.0
_BUSY_MS: Final = 30_000
_CACHE_KB: Final = 4096
_READER_CACHE_KB: Final = 1024
_MOST_IDLE: Final = 8
"""Connections of readers that a process keeps open: 150 threads that read at once would each leave a cache."""

_PASSING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN})
_PRIMARY_CODE: Final = 0xFF

type Synchronous = Literal["FULL", "NORMAL"]


class _Own:
    """The store in one process: connections, and the writers' locks: of its threads, and of all processes."""

    def __init__(self, folder: Path, counters: Counters) -> None:
        self.pid = os.getpid()
        self.thread_lock = threading.Lock()
        self.lock = os.open(folder / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.group_flush = GroupFlush(folder, folder / LOG_NAME, counters)
        self.writer: sqlite3.Connection | None = None
        self.has_marked = False
        self.idle: deque[sqlite3.Connection] = deque()
        self.is_closed = False

    def keep(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for the next reader, if there are few. One that comes back after the close is closed."""
        if len(self.idle) >= _MOST_IDLE:
            connection.close()
            return
        self.idle.append(connection)
        if self.is_closed:  # Order: after the append, so that either this call or `close` finds the connection.
            self.close_idle()

    def close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self.idle.pop().close()


class Store:
    """`folder` holds the file and its locks. Connections open on first use and belong to one process.

    A writer takes a lock of the kernel before SQLite's own: it wakes the next writer at once, where SQLite would poll.
    A process that dies loses both.

    No commit waits for the disk. `synchronous`: with FULL, `flush` does; with NORMAL, it does nothing.
    """

    def __init__(self, folder: Path, synchronous: Synchronous) -> None:
        self.folder = folder
        self._path = folder / FILE_NAME
        self._is_flushed = synchronous == "FULL"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._counters = Counters(folder)
        self._places = Places()
        self._look_at = 0.0
        self._mine = _Own(folder, self._counters)
        self._inherited: list[_Own] = []
        self._forked = threading.Lock()

    def prepare(self, companions: Sequence[Path] = ()) -> int:
        """Create the file or bring it to this version, with all of the log in it and on the disk.

        Nothing else uses the folder. `companions`: files that exist only beside a file that is not empty.
        Returns how many damaged frames of the log SQLite dropped. Raises StoreUnusableError.
        """
        own = self._own()
        log = self.folder / LOG_NAME
        own.writer, dropped = open_prepared(self._path, log, companions, partial(self._connect, _CACHE_KB))
        self._counters.reset()
        self._places.note((self._path, log))
        sync(self.folder)  # Order: the log is on the disk before the mark
        (self.folder / MARK_NAME).touch(mode=0o600)
        sync(self.folder)
        own.has_marked = True
        return dropped

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for single SELECTs: each sees one committed state. Close cursors before it ends."""
        own = self._own()
        try:
            try:
                connection = own.idle.pop()
            except IndexError:
                connection = self._connect(_READER_CACHE_KB)
            try:
                yield connection
            finally:
                own.keep(connection)
        except sqlite3.Error as error:
            raise self._service_error(error) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: committed at the end, undone by any exception. Keep it short: all writers wait."""
        own = self._own()
        try:
            with own.thread_lock:
                if own.is_closed:
                    raise ServiceError("ServiceUnavailable", "the engine is closed", 503)
                fcntl.flock(own.lock, fcntl.LOCK_EX)
                try:
                    if own.writer is None:
                        own.writer = self._connect(_CACHE_KB)
                    own.writer.execute("BEGIN IMMEDIATE")
                    try:
                        self._require_in_place()
                        yield own.writer
                        self._counters.begin_commit()
                        own.writer.execute("COMMIT")
                        self._counters.end_commit()
                    except BaseException:
                        with suppress(sqlite3.Error):  # a full disk may have ended the transaction already
                            own.writer.execute("ROLLBACK")
                        raise
                finally:
                    fcntl.flock(own.lock, fcntl.LOCK_UN)
        except sqlite3.Error as error:
            raise self._service_error(error) from error

    def note_change(self, pk: str) -> None:
        """Tell `version` of a committed change."""
        self._counters.change(pk)

    def version(self, pk: str) -> int:
        """Return the version of the items of a partition: another one after each change that was told."""
        return self._counters.version(pk)

    def visible_commits(self) -> int:
        """Return a mark for `flush`: all that this process can read now."""
        return self._counters.visible()

    def flush(self, commits: int | None = None) -> None:
        """Return when everything that this process can read is on the disk, or could read at a mark.

        Raises ServiceError.
        """
        if not self._is_flushed:
            return
        try:
            self._own().group_flush.flush(self._counters.visible() if commits is None else commits)
        except OSError as error:
            problem = f"the engine's log cannot be flushed: {error.strerror}"
            raise ServiceError("ServiceUnavailable", problem, 503) from error

    def find_trouble(self) -> Trouble | None:
        """Tell why the file cannot be used for now; None where nothing is known to be wrong."""
        return self._places.find_lost() or self._counters.find_failure() or find_full(self.folder)

    def close(self) -> None:
        own = self._own()
        with own.thread_lock:
            own.is_closed = True
            own.close_idle()
            if own.writer is not None:
                if own.has_marked:
                    with suppress(sqlite3.Error, OSError):  # such as a full disk: log and mark stay
                        self._unmark(own.writer)
                own.writer.close()
            own.writer = None
            os.close(own.lock)
            own.group_flush.close()

    def _unmark(self, writer: sqlite3.Connection) -> None:
        """Put the log into the file, then remove the mark; the close removes the log."""
        is_busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            (self.folder / MARK_NAME).unlink(missing_ok=True)
            sync(self.folder)
            keep_log(writer, is_kept=False)

    def _own(self) -> _Own:
        if self._mine.pid != os.getpid():
            with self._forked:  # several threads of a new process may come here at once
                if self._mine.pid != os.getpid():
                    # After a fork. The descriptor is the parent's lock too, which must end with the parent. SQLite's
                    # connections must not be used here, not even closed.
                    own, inherited = _Own(self.folder, self._counters), self._mine
                    self._inherited.append(inherited)
                    self._mine = own
                    os.close(inherited.lock)
                    inherited.group_flush.close()
        return self._mine

    def _connect(self, cache_kb: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?mode=rw",  # never a new file in place of a lost one
            uri=True,
            timeout=_BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            keep_log(connection)
            for pragma in (
                "journal_mode = WAL",
                "synchronous = NORMAL",
                f"cache_size = -{cache_kb}",
                "temp_store = MEMORY",
                "journal_size_limit = 67108864",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _require_in_place(self) -> None:
        """Refuse to write into a file that the next start does not find. The caller holds the lock, with open files."""
        if self._places.is_empty:
            self._places.note((self._path, self.folder / LOG_NAME))
        now = time.monotonic()
        if now < self._look_at:  # a look costs a fifth of a write
            return
        self._look_at = now + _LOOK_SECS
        if (trouble := self._places.find_lost()) is not None:
            self._look_at = 0.0
            raise ServiceError("ServiceUnavailable", trouble.detail, 503)

    def _service_error(self, error: sqlite3.Error) -> ServiceError:
        """Turn a failure of the file into an error that clients repeat; a full disk passes."""
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _PASSING:
            cause = _full(self.folder) or f"the engine's file cannot be used now: {error}"
            return ServiceError("ServiceUnavailable", cause, 503)
        return ServiceError("InternalServerError", f"the engine's file failed: {error}", 500)
