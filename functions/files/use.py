"""What happens to a file: a client sends it, a run finds and holds it, and it goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.table import tries
from functions.clock import Clock, now_ms, to_rfc3339
from functions.errors import ConflictError, FilesMissingError, RateLimitedError, UnavailableError
from functions.failpoint import reach
from functions.files.model import FILES_MAX, MIB, UPLOADING_MS, File, FileState
from functions.files.objects import new_object_key
from functions.files.store import StoreFullError
from functions.projects.model import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from functions.files.model import FileRequest
    from functions.files.objects import FileObjects, Link, Links
    from functions.files.store import ArtifactStore, DueFile, FileStore
    from functions.projects.model import Project


# Find a file of a project; its first use confirms that the bucket has the bytes.


@dataclass(frozen=True, slots=True)
class FileLookup:
    """Finds files."""

    store: FileStore
    objects: FileObjects

    def find(self, project_id: str, sha256: str) -> File | None:
        """Return a file whose bytes are stored; None for an unknown one, and for one that was never sent."""
        file = self.store.get(project_id, sha256)
        return None if file is None else self.confirmed(file)

    def confirmed(self, file: File) -> File | None:
        """Return a file if its bytes are stored, and note it in its row at the first time."""
        if file.state is FileState.STORED:
            return file
        return self.store.confirm(file) if self.objects.is_stored(file) else None


# Make a file of an artifact whose hash a client names, so that the client sends no bytes.
#
# The file is a copy: it stays when the result of the artifact is deleted.


@dataclass(frozen=True, slots=True)
class ArtifactCopies:
    """Copies artifacts."""

    artifacts: ArtifactStore
    creation: FileCreation
    lookup: FileLookup

    def find_or_copy(self, project: Project, sha256: str) -> File | None:
        """Return the stored file with this hash, which may be an artifact until now. Raises RateLimitedError."""
        return self.lookup.find(project.project_id, sha256) or self._copy(project, sha256)

    def _copy(self, project: Project, sha256: str) -> File | None:
        store, objects = self.lookup.store, self.lookup.objects
        for artifact in self.artifacts.find(project.project_id, sha256):
            created = self.creation.create(project, sha256, artifact.size, artifact.media_type)
            # Else a client has declared the file, and sent no bytes yet, or another request copies it too.
            file = created or store.get(project.project_id, sha256)
            reach("files.after_row")
            if file is not None and file.state is FileState.STORED:
                return file
            if file is None or file.size != artifact.size or not objects.copy(artifact.object_key, file):
                continue
            reach("files.after_copy")
            if (stored := self.lookup.confirmed(file)) is not None:
                return stored
        return None


_FULL_RETRY_SECS = 3_600


@dataclass(frozen=True, slots=True)
class FileCreation:
    """Writes rows of new files."""

    store: FileStore
    clock: Clock = now_ms

    def create(self, project: Project, sha256: str, size: int, media_type: str) -> File | None:
        """Return a new file without bytes. None if its row exists. Raises RateLimitedError."""
        now, most_bytes = self.clock(), project.files_mb * MIB
        file = File(project.project_id, sha256, size, media_type, new_object_key(), to_rfc3339(now), now + UPLOADING_MS)
        try:
            return file if self.store.create(file, most_bytes) else None
        except StoreFullError as full:
            raise _refusal(project, full, most_bytes) from None

    def reserve(self, project: Project, size: int) -> str:
        """Count an object that is no file, and return its key. `FileStore.keep` keeps it. Raises RateLimitedError."""
        object_key, most_bytes = new_object_key(), project.files_mb * MIB
        try:
            self.store.reserve(project.project_id, object_key, size, self.clock() + UPLOADING_MS, most_bytes)
        except StoreFullError as full:
            raise _refusal(project, full, most_bytes) from None
        return object_key


def _refusal(project: Project, full: StoreFullError, most_bytes: int) -> RateLimitedError:
    rate = Rate(most_bytes, max(0, most_bytes - full.used_bytes), _FULL_RETRY_SECS)
    kept = f"The files of this project may have {project.files_mb:,} MiB together, and be at most {FILES_MAX:,}."
    stored = f"{full.used_files:,} files with {full.used_bytes:,} bytes are stored."
    way_out = "Delete files, or wait until unused ones expire, a day after their last use."
    return RateLimitedError(f"{kept} {stored} {way_out}", _FULL_RETRY_SECS, rate.headers)


# Answer a client that wants to store a file: the service has it already, or how to send it.


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


@dataclass(frozen=True, slots=True)
class FileUse:
    """Finds files for runs, which keeps them for another day."""

    copies: ArtifactCopies
    store: FileStore

    def hold(self, project: Project, sha256s: Iterable[str]) -> dict[str, File]:
        """Return the files by their hashes. Each stays until the run is over.

        Artifacts become files. Raises FilesMissingError, RateLimitedError.
        """
        files: dict[str, File] = {}
        missing = []
        for sha256 in dict.fromkeys(sha256s):
            file = self._kept(project, sha256)
            if file is None:
                missing.append(sha256)
            else:
                files[sha256] = file
        if missing:
            raise FilesMissingError(tuple(missing))
        return files

    def _kept(self, project: Project, sha256: str) -> File | None:
        file = self.copies.find_or_copy(project, sha256)
        return file if file is not None and self.store.extend(file, is_use=True) else None


# Delete files: those that a client deletes, and those that nothing used for a day.
#
# A file is taken from its project first. Its object goes when no accepted run can need it any more.

type IsHeld = Callable[[str, str, str], bool]
"""(project id, SHA-256, holder): whether the holder still names the file."""


@dataclass(frozen=True, slots=True)
class FileRemoval:
    """Deletes files."""

    store: FileStore
    objects: FileObjects
    clock: Clock = now_ms

    def retire(self, file: File) -> bool:
        """Delete a file. False if somebody used or replaced it meanwhile."""
        removable_at_ms = file.removable_at_ms(self.clock())
        if not self.store.retire(file, removable_at_ms):
            return False
        for holder in self.store.holders(file.project_id, file.sha256):
            self.store.release(file.project_id, file.sha256, holder)
        reach("files.after_retire")
        if removable_at_ms <= self.clock():
            self._delete_object(file.project_id, file.object_key)
        return True

    def sweep(self, entry: DueFile, is_held: IsHeld) -> None:
        """Handle one entry of the due index, if it is still due."""
        if entry.object_key is not None:
            if self.store.is_removable(entry.project_id, entry.object_key, self.clock()):
                self._delete_object(entry.project_id, entry.object_key)
            return
        file = self.store.get(entry.project_id, entry.sha256 or "")
        if file is None or file.due_at_ms > self.clock():
            return
        if self.holders(file, is_held):
            self.store.extend(file, is_use=False)
        else:
            self.retire(file)

    def holders(self, file: File, is_held: IsHeld) -> list[str]:
        """Return what keeps a file. A holder may be about to write that it names the file, so no hold is removed."""
        holders = self.store.holders(file.project_id, file.sha256)
        return [holder for holder in holders if is_held(file.project_id, file.sha256, holder)]

    def _delete_object(self, project_id: str, object_key: str) -> None:
        self.objects.delete(object_key)
        reach("files.after_object")
        self.store.forget(project_id, object_key)
