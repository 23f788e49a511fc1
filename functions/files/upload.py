"""Answer a client that wants to store a file: the service has it already, or how to send it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.retries import tries
from functions.clock import Clock, now_ms
from functions.errors import ConflictError, UnavailableError
from functions.files.model import UPLOADING_MS

if TYPE_CHECKING:
    from functions.files.artifact_copies import ArtifactCopies
    from functions.files.creation import FileCreation
    from functions.files.model import File
    from functions.files.objects import Link, Links
    from functions.files.removal import FileRemoval
    from functions.files.requests import FileRequest
    from functions.files.store import FileStore
    from functions.projects.model import Project


@dataclass(frozen=True, slots=True)
class FileUpload:
    """Prepares uploads."""

    store: FileStore
    copies: ArtifactCopies
    creation: FileCreation
    links: Links
    removal: FileRemoval
    clock: Clock = now_ms

    def prepare(self, project: Project, request: FileRequest) -> tuple[File, Link | None]:
        """Return the file, and the request that sends its bytes; None: they are stored, and kept for another day.

        Raises ConflictError for another size than that of the stored bytes, RateLimitedError, UnavailableError.
        """
        for _ in tries():
            stored = self.copies.find_or_copy(project, request.sha256)
            if stored is not None:
                if stored.size != request.size:
                    raise ConflictError(f"The file with this SHA-256 has {stored.size:,} bytes. Check sha256 and size.")
                if self.store.extend(stored, is_use=False):
                    return stored, None
                continue
            file = self.store.get(project.project_id, request.sha256)
            if file is None:
                file = self.creation.create(project, request.sha256, request.size, request.media_type)
                if file is not None:
                    return file, self.links.upload(file)
            elif file.size != request.size:  # one of the two sizes is wrong, and only the right one can be sent
                self.removal.retire(file)
            elif self.store.change_upload(file, request.media_type, self.clock() + UPLOADING_MS):
                changed = replace(file, media_type=request.media_type)
                return changed, self.links.upload(changed)
        raise UnavailableError("Other requests keep changing this file. Repeat the request.", 1)
