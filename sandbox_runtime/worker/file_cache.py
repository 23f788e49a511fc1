"""Blobs of projects on disk: each downloaded once, checked by its hash, and evicted when others need the space.

A runner's cache ends with the runner: a later one downloads again, and trusts no file that it finds.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore, Condition, Thread
from time import monotonic

from events.files import StoredFile
from events.requested import JudgeRequested, Requested
from sandbox_runtime.jail import make_inputs_folder
from sandbox_runtime.transport import TransportError

_PREFIX = "rustbox-files-"
_PROJECT_PART = 2  # one project may take half of the cache, so that it cannot evict all files of others
_MOST_DOWNLOADS = 4
_FILE_MODE = 0o444  # every guest may read it through its overlay, and nobody writes

type Download = Callable[[str], Iterator[bytes]]
"""Yields the bytes of an object by its key. Raises OSError or the transport's error."""


class FileMismatchError(Exception):
    """An object is not the file that the request names: it has another hash or size."""


class FilesUnavailableError(Exception):
    """The files cannot be had now: the disk or the cache is full, or the download takes too long."""


@dataclass(slots=True)
class _Entry:
    """One blob. `users`: runs that need it, also while it is downloaded (`is_ready` is False)."""

    path: str
    size: int
    users: int = 1
    is_ready: bool = False


type _Key = tuple[str, str]
"""Project and SHA-256: no project learns from a quick start that another one has the same bytes."""


class FileCache:
    """Least-recently-used cache in a folder of its own below `parent`. Safe for threads.

    `max_bytes`: of all files, those in use included. `download`: see `Download`.
    """

    def __init__(self, parent: str, max_bytes: int, download: Download) -> None:
        """Remove the folders of dead runners first. Raises OSError."""
        _remove_stale(parent)
        self._directory, self._lock_fd = _own_folder(parent)
        self._max_bytes, self._download = max_bytes, download
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()  # least recently used first
        self._size_bytes = 0
        self._project_sizes: Counter[str] = Counter()
        self._numbers = count()
        self._downloads = BoundedSemaphore(_MOST_DOWNLOADS)
        self._changed = Condition()

    def close(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        os.close(self._lock_fd)

    @property
    def size_bytes(self) -> int:
        with self._changed:
            return self._size_bytes

    def open_folder(self, project_id: str, files: Iterable[StoredFile], give_up_secs: float) -> "RunFolder":
        """Download the missing files, and link all of them into a folder for one run.

        Raises FileMismatchError, FilesUnavailableError and the errors of the download.
        """
        deadline = monotonic() + give_up_secs
        keys: list[_Key] = []
        folder = f"{self._directory}/run-{next(self._numbers)}"
        try:
            target = make_inputs_folder(folder)
            for stored in {(file.sha256, file.size): file for file in files}.values():
                path = self._acquire(project_id, stored, deadline)
                keys.append((project_id, stored.sha256))
                os.link(path, f"{target}/{stored.sha256}")
        except BaseException as error:
            self._release(keys, folder)
            if isinstance(error, OSError):
                raise FilesUnavailableError(error.strerror or type(error).__name__) from error
            raise
        return RunFolder(folder, lambda: self._release(keys, folder))

    def read(self, project_id: str, stored: StoredFile, give_up_secs: float) -> bytes:
        """Return the bytes of a file, downloaded if it is missing.

        Raises FileMismatchError, FilesUnavailableError and the errors of the download.
        """
        try:
            path = self._acquire(project_id, stored, monotonic() + give_up_secs)
            try:
                return Path(path).read_bytes()
            finally:
                self._give_back([(project_id, stored.sha256)])
        except OSError as error:
            raise FilesUnavailableError(error.strerror or type(error).__name__) from error

    def _acquire(self, project_id: str, stored: StoredFile, deadline: float) -> str:
        """Return the path of a file that stays until `_release`."""
        key = project_id, stored.sha256
        with self._changed:
            while (entry := self._entries.get(key)) is not None:
                if entry.size != stored.size:
                    raise FileMismatchError(f"it has {entry.size:,} bytes, not {stored.size:,}")
                if entry.is_ready:
                    entry.users += 1
                    self._entries.move_to_end(key)
                    return entry.path
                if not self._changed.wait(deadline - monotonic()):  # another run downloads it
                    raise FilesUnavailableError("the download takes too long")
            entry = self._reserve(key, stored.size)
        try:
            self._fill(entry.path, stored, deadline)
        except BaseException:
            with self._changed:
                self._remove(key)
                self._changed.notify_all()
            raise
        with self._changed:
            entry.is_ready = True
            self._changed.notify_all()
        return entry.path

    def _reserve(self, key: _Key, size: int) -> _Entry:
        """Make space for a file and count it. The caller holds the lock."""
        project_id, _ = key
        own_surplus = self._project_sizes[project_id] + size - self._max_bytes // _PROJECT_PART
        self._evict(own_surplus, [known for known in self._entries if known[0] == project_id])
        self._evict(self._size_bytes + size - self._max_bytes, list(self._entries))
        entry = self._entries[key] = _Entry(f"{self._directory}/blob-{next(self._numbers)}", size)
        self._size_bytes += size
        self._project_sizes[project_id] += size
        return entry

    def _evict(self, surplus_bytes: int, among: Iterable[_Key]) -> None:
        """Remove the least recently used files that no run needs. Raises FilesUnavailableError if they are too few."""
        for key in among:
            if surplus_bytes <= 0:
                return
            entry = self._entries[key]
            if not entry.users:
                surplus_bytes -= entry.size
                self._remove(key)
        if surplus_bytes > 0:
            raise FilesUnavailableError("the cache is full of files that other runs use")

    def _remove(self, key: _Key) -> None:
        entry = self._entries.pop(key)
        self._size_bytes -= entry.size
        self._project_sizes[key[0]] -= entry.size
        if not self._project_sizes[key[0]]:
            del self._project_sizes[key[0]]
        with suppress(FileNotFoundError):
            Path(entry.path).unlink()

    def _fill(self, path: str, stored: StoredFile, deadline: float) -> None:
        """Download a file, and check it."""
        if not self._downloads.acquire(timeout=max(0.0, deadline - monotonic())):
            raise FilesUnavailableError("too many files are downloaded")
        try:
            self._write(path, stored, deadline)
        finally:
            self._downloads.release()

    def _write(self, path: str, stored: StoredFile, deadline: float) -> None:
        digest, size = hashlib.sha256(), 0
        with Path(path).open("xb", buffering=0) as file:
            for part in self._download(stored.key):
                size += len(part)
                if size > stored.size:
                    raise FileMismatchError(f"it has more than {stored.size:,} bytes")
                if monotonic() > deadline:
                    raise FilesUnavailableError("the download takes too long")
                digest.update(part)
                view = memoryview(part)
                while view:
                    view = view[file.write(view) :]
            os.fchmod(file.fileno(), _FILE_MODE)
        if size != stored.size:
            raise FileMismatchError(f"it has {size:,} bytes, not {stored.size:,}")
        if digest.hexdigest() != stored.sha256:
            raise FileMismatchError("its bytes have another SHA-256")

    def _release(self, keys: Iterable[_Key], folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._give_back(keys)

    def _give_back(self, keys: Iterable[_Key]) -> None:
        with self._changed:
            for key in keys:
                self._entries[key].users -= 1
            self._changed.notify_all()


class RunFolder:
    """The folder of one run, `path`: see `JailSpec.inputs_folder`. Closed at the latest when nobody holds it."""

    def __init__(self, path: str, release: Callable[[], None]) -> None:
        self.path = path
        # A request ends in many ways, also by an error. Its files must not stay in use.
        self._finalizer = weakref.finalize(self, release)

    def close(self) -> None:
        """Give the files back. Guests that still live keep theirs. Repeating the call is safe."""
        self._finalizer()


def _own_folder(parent: str) -> tuple[str, int]:
    """Make a folder, and lock it as long as this process lives."""
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if Path(path).exists():
            return path, fd
        os.close(fd)  # another runner took it for that of a dead one


def _remove_stale(parent: str) -> None:
    """Remove the folders that no living runner has locked."""
    for path in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(fd)


# Fetch the stored files of a request before it has a slot, so that no slot waits for a download.

# The largest files of a run have 576 MB.
GIVE_UP_SECS = 60.0
DIRECT_GIVE_UP_SECS = 10.0
"""Of a client that waits. Then its request goes to a queue, and finds more of its files here."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FetchedFiles:
    """The stored files of a request. `folder`: None if it has none, or if they are not there.

    `refusal`: why the request can never run, for the client. `is_missing`: they could not be had, and may be later.
    """

    folder: RunFolder | None = None
    refusal: str = ""
    is_missing: bool = False

    @property
    def path(self) -> str:
        """The folder for the jail; "" without one."""
        return "" if self.folder is None else self.folder.path

    def close(self) -> None:
        if self.folder is not None:
            self.folder.close()


NO_FILES = FetchedFiles()


class Fetcher:
    """Fetches files for one runner. `cache`: None: this host cannot show files, and it refuses requests with some."""

    def __init__(self, cache: FileCache | None) -> None:
        self._cache = cache

    def offers(self, request: Requested) -> bool:
        """Whether this runner can have the files of a request."""
        has_problem = isinstance(request, JudgeRequested) and request.judging_object is not None
        return self._cache is not None or not (has_problem or _stored(request))

    def needs(self, request: Requested) -> bool:
        return self._cache is not None and bool(_stored(request))

    def fetch(self, request: Requested, give_up_secs: float = GIVE_UP_SECS) -> FetchedFiles:
        """Return the files of a request; blocks while they are downloaded."""
        stored = _stored(request)
        if self._cache is None or not stored:
            return NO_FILES
        ids = {"submission_id": request.submission_id, "execution_id": request.execution_id}
        try:
            return FetchedFiles(self._cache.open_folder(request.project_id, stored, give_up_secs))
        except FileMismatchError as error:
            _LOG.error("stored file is another one", extra={**ids, "problem": str(error)})
            return FetchedFiles(refusal=f"a stored file of this run is not the one that it names: {error}")
        except (FilesUnavailableError, TransportError) as error:
            _LOG.warning("files not fetched", extra={**ids, "problem": str(error)})
        except Exception:  # noqa: BLE001 - a request must not wait for ever because of a bug
            _LOG.exception("files not fetched", extra=ids)
        return FetchedFiles(is_missing=True)

    def read(self, project_id: str, stored: StoredFile) -> bytes:
        """Return the bytes of one object of a stored problem. Raises FileMismatchError and FilesUnavailableError."""
        if self._cache is None:
            raise FilesUnavailableError("this runner has no cache of files")
        try:
            return self._cache.read(project_id, stored, GIVE_UP_SECS)
        except TransportError as error:
            raise FilesUnavailableError(f"{error.operation}: {error.code}") from error

    def fetch_soon(self, request: Requested, then: Callable[[FetchedFiles], None]) -> None:
        """Fetch the files on another thread, and call `then` with them there."""
        Thread(target=lambda: then(self.fetch(request)), name="fetch files", daemon=True).start()


def _stored(request: Requested) -> list[StoredFile]:
    return [file.stored for file in request.files or () if file.stored is not None]
