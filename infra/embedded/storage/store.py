"""One SQLite file for many threads and processes. Transactions wait for each other; none fails as locked."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from infra.embedded.errors import ServiceError
from infra.embedded.storage.group_flush import Counters, GroupFlush, Places, Trouble, find_full
from infra.embedded.storage.schema import open_prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE_NAME: Final = "rustbox.sqlite"
LOG_NAME: Final = f"{FILE_NAME}-wal"
_LOOK_SECS: Final = 1.0
_BUSY_MS: Final = 30_000
_CACHE_KB: Final = 4096
_READER_CACHE_KB: Final = 1024

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
        self.idle: deque[sqlite3.Connection] = deque()
        self.is_closed = False

    def keep(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for the next reader. One that comes back after the close is closed."""
        self.idle.append(connection)
        if self.is_closed:  # Order: after the append, so that either this call or `close` finds the connection.
            self.close_idle()

    def close_idle(self) -> None:
        """Close unused connections."""
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
        """End all use by this process."""
        own = self._own()
        with own.thread_lock:
            own.is_closed = True
            if own.writer is not None:
                own.writer.close()
            own.writer = None
            os.close(own.lock)
            own.group_flush.close()
        own.close_idle()

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
            trouble = find_full(self.folder)
            cause = trouble.detail if trouble else f"the engine's file cannot be used now: {error}"
            return ServiceError("ServiceUnavailable", cause, 503)
        return ServiceError("InternalServerError", f"the engine's file failed: {error}", 500)
