"""Fetch the stored files of a request before it has a slot, so that no slot waits for a download."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from events.files import StoredFile
from events.requested import JudgeRequested, Requested
from sandbox_runtime.transport import TransportError
from sandbox_runtime.worker.files.file_cache import FileCache, FileMismatchError, FilesUnavailableError, RunFolder

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
        """Give the files back."""
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
        """Whether a request has files to fetch."""
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
