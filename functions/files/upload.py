"""Answer a client that wants to store a file: the service has it already, or how to send it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.retries import tries
from functions.clock import Clock, now_ms, to_rfc3339
from functions.errors import ConflictError, RateLimitedError, UnavailableError
from functions.files.model import FILES_MAX, MIB, UPLOADING_MS, File
from functions.files.objects import new_object_key
from functions.files.store import StoreFullError
from functions.projects.quota import Rate

if TYPE_CHECKING:
    from functions.files.lookup import FileLookup
    from functions.files.objects import Link, Links
    from functions.files.removal import FileRemoval
    from functions.files.requests import FileRequest
    from functions.files.store import FileStore
    from functions.projects.model import Project

_FULL_RETRY_SECS = 3_600


@dataclass(frozen=True, slots=True)
class FileUpload:
    """Prepares uploads."""

    store: FileStore
    lookup: FileLookup
    links: Links
    removal: FileRemoval
    clock: Clock = now_ms

    def prepare(self, project: Project, request: FileRequest) -> tuple[File, Link | None]:
        """Return the file, and the request that sends its bytes; None: they are stored, and kept for another day.

        Raises ConflictError for another size than that of the stored bytes, RateLimitedError, UnavailableError.
        """
        for _ in tries():
            file = self.store.get(project.project_id, request.sha256)
            if file is None:
                file = self._create(project, request)
                if file is not None:
                    return file, self.links.upload(file)
                continue  # another request has just created it
            stored = self.lookup.confirmed(file)
            if stored is not None:
                if stored.size != request.size:
                    raise ConflictError(f"The file with this SHA-256 has {stored.size:,} bytes. Check sha256 and size.")
                if self.store.extend(stored, is_use=False):
                    return stored, None
            elif file.size != request.size:  # one of the two sizes is wrong, and only the right one can be sent
                self.removal.retire(file)
            elif self.store.change_upload(file, request.media_type, self.clock() + UPLOADING_MS):
                changed = replace(file, media_type=request.media_type)
                return changed, self.links.upload(changed)
        raise UnavailableError("Other requests keep changing this file. Repeat the request.", 1)

    def _create(self, project: Project, request: FileRequest) -> File | None:
        now, most_bytes = self.clock(), project.files_mb * MIB
        file = File(
            project.project_id,
            request.sha256,
            request.size,
            request.media_type,
            new_object_key(),
            to_rfc3339(now),
            now + UPLOADING_MS,
        )
        try:
            return file if self.store.create(file, most_bytes) else None
        except StoreFullError as full:
            raise _refusal(project, full, most_bytes) from None


def _refusal(project: Project, full: StoreFullError, most_bytes: int) -> RateLimitedError:
    rate = Rate(most_bytes, max(0, most_bytes - full.used_bytes), _FULL_RETRY_SECS)
    kept = f"The files of this project may have {project.files_mb:,} MiB together, and be at most {FILES_MAX:,}."
    stored = f"{full.used_files:,} files with {full.used_bytes:,} bytes are stored."
    way_out = "Delete files, or wait until unused ones expire, a day after their last use."
    return RateLimitedError(f"{kept} {stored} {way_out}", _FULL_RETRY_SECS, rate.headers)
