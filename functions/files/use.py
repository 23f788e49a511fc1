"""What happens to a file: a client sends it, a run finds and holds it, and it goes."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from functions.aws.dynamodb.table import tries
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import ConflictError, FilesMissingError, RateLimitedError, UnavailableError
from functions.failpoint import reach
from functions.files.model import FILES_MAX, MIB, UPLOADING_MS, ArtifactObject, File, FileRequest, FileState
from functions.files.objects import FileObjects, Link, file_links, new_object_key
from functions.files.store import ArtifactStore, DueFile, FileStore, StoreFullError
from functions.projects.model import Project, Rate

_FULL_RETRY_SECS = 3_600
_CHANGING = "Other requests keep changing this file. Repeat the request."

type IsHeld = Callable[[str, str, str], bool]
"""(project id, SHA-256, holder): whether the holder still names the file."""


def file_holders(_env: Env) -> Mapping[str, IsHeld]:
    """Return what tells whether holders whose names begin so still hold a file. All others are believed."""
    return {}


class StoredFiles:
    """The files of projects. A file is found once the bucket has its bytes."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._clock = env.clock
        self._rows = env[FileStore]
        self._objects = env[FileObjects]
        self._artifacts = env[ArtifactStore]

    def find(self, project_id: str, sha256: str) -> File | None:
        """Return a file whose bytes are stored; None for an unknown one, and for one that was never sent."""
        file = self._rows.get(project_id, sha256)
        return None if file is None else self._confirmed(file)

    def _confirmed(self, file: File) -> File | None:
        """Return a file if its bytes are stored, and note it in its row at the first time."""
        if file.state is FileState.STORED:
            return file
        return self._rows.confirm(file) if self._objects.is_stored(file) else None

    def _find_or_copy(self, project: Project, sha256: str) -> File | None:
        """Return the stored file with this hash, which may be an artifact until now. Raises RateLimitedError."""
        return self.find(project.project_id, sha256) or self._copy(project, sha256)

    def _copy(self, project: Project, sha256: str) -> File | None:
        """Make a file of an artifact, so that the client sends no bytes. It stays when the artifact is deleted."""
        for artifact in self._artifacts.find(project.project_id, sha256):
            created = self._create(project, sha256, artifact.size, artifact.media_type)
            # Else a client has declared the file, and sent no bytes yet, or another request copies it too.
            file = created or self._rows.get(project.project_id, sha256)
            reach("files.after_row")
            if file is not None and file.state is FileState.STORED:
                return file
            if file is None or file.size != artifact.size or not self._objects.copy(artifact.object_key, file):
                continue
            reach("files.after_copy")
            if (stored := self._confirmed(file)) is not None:
                return stored
        return None

    def _create(self, project: Project, sha256: str, size: int, media_type: str) -> File | None:
        """Return a new file without bytes. None if its row exists. Raises RateLimitedError."""
        now, most_bytes = self._clock(), project.files_mb * MIB
        file = File(project.project_id, sha256, size, media_type, new_object_key(), to_rfc3339(now), now + UPLOADING_MS)
        try:
            return file if self._rows.create(file, most_bytes) else None
        except StoreFullError as full:
            raise _refusal(project, full, most_bytes) from None

    def put_object(self, project: Project, content: bytes, media_type: str) -> str:
        """Store an object that is no file, and return its key. `FileStore.keep` keeps it. Raises RateLimitedError."""
        object_key, most_bytes = new_object_key(), project.files_mb * MIB
        due_at_ms = self._clock() + UPLOADING_MS
        try:
            self._rows.reserve(project.project_id, object_key, len(content), due_at_ms, most_bytes)
        except StoreFullError as full:
            raise _refusal(project, full, most_bytes) from None
        reach("files.after_reserve")
        self._objects.put(object_key, content, media_type)
        reach("files.after_put")
        return object_key

    def put_until(self, project: Project, content: bytes, due_at_ms: int) -> str | None:
        """Store an object that is no file and is deleted when it is due; return its key.

        None: the project has used half of its quota of files. Callers from outside leave the other half to the project.
        """
        object_key, most_bytes = new_object_key(), project.files_mb * MIB // 2
        try:
            self._rows.reserve(
                project.project_id, object_key, len(content), due_at_ms, most_bytes, most_files=FILES_MAX // 2
            )
        except StoreFullError:
            return None
        self._objects.put(object_key, content, "application/octet-stream")
        return object_key

    def prepare_upload(self, project: Project, request: FileRequest) -> tuple[File, Link | None]:
        """Return the file, and the request that sends its bytes; None: they are stored, and kept for another day.

        Raises ConflictError for another size than that of the stored bytes, RateLimitedError, UnavailableError.
        """
        file, is_stored = self._declare(project, request)
        return file, None if is_stored else self._env[file_links].upload(file)

    def store(self, project: Project, content: bytes, media_type: str) -> File:
        """Store bytes that a client has sent to the service itself, and keep them for another day.

        Raises RateLimitedError, UnavailableError.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        request = FileRequest(sha256=sha256, size=len(content), media_type=media_type)
        for _ in tries():
            file, is_stored = self._declare(project, request)
            if is_stored:
                return file
            reach("files.after_row")
            self._objects.put_file(file, content)
            if (stored := self._confirmed(file)) is not None:
                return stored
        raise UnavailableError(_CHANGING, 1)

    def find_object(self, project_id: str, sha256: str) -> ArtifactObject | None:
        """Return where the bytes of a file or an artifact of the project are. None: they are gone."""
        file = self.find(project_id, sha256)
        if file is not None:
            return ArtifactObject(sha256, file.size, file.media_type, file.object_key)
        return next(iter(self._artifacts.find(project_id, sha256)), None)

    def _declare(self, project: Project, request: FileRequest) -> tuple[File, bool]:
        """Return the file of a request, kept for another day, and whether its bytes are stored."""
        for _ in tries():
            stored = self._find_or_copy(project, request.sha256)
            if stored is not None:
                if stored.size != request.size:
                    raise ConflictError(f"The file with this SHA-256 has {stored.size:,} bytes. Check sha256 and size.")
                if self._rows.extend(stored, is_use=False):
                    return stored, True
                continue
            file = self._rows.get(project.project_id, request.sha256)
            if file is None:
                file = self._create(project, request.sha256, request.size, request.media_type)
                if file is not None:
                    return file, False
            elif file.size != request.size:  # one of the two sizes is wrong, and only the right one can be sent
                self.retire(file)
            elif self._rows.change_upload(file, request.media_type, self._clock() + UPLOADING_MS):
                return replace(file, media_type=request.media_type), False
        raise UnavailableError(_CHANGING, 1)

    def hold(self, project: Project, sha256s: Iterable[str]) -> dict[str, File]:
        """Return the files by their hashes. Each stays for another day, and until the run that needs it is over.

        Artifacts become files. Raises FilesMissingError, RateLimitedError.
        """
        files: dict[str, File] = {}
        missing = []
        for sha256 in dict.fromkeys(sha256s):
            file = self._find_or_copy(project, sha256)
            if file is not None and self._rows.extend(file, is_use=True):
                files[sha256] = file
            else:
                missing.append(sha256)
        if missing:
            raise FilesMissingError(tuple(missing))
        return files

    def retire(self, file: File) -> bool:
        """Delete a file. False if somebody used or replaced it meanwhile.

        It is taken from its project first. Its object goes when no accepted run can need it any more.
        """
        removable_at_ms = file.removable_at_ms(self._clock())
        if not self._rows.retire(file, removable_at_ms):
            return False
        for holder in self._rows.holders(file.project_id, file.sha256):
            self._rows.release(file.project_id, file.sha256, holder)
        reach("files.after_retire")
        if removable_at_ms <= self._clock():
            self._delete_object(file.project_id, file.object_key)
        return True

    def sweep(self, entry: DueFile) -> None:
        """Handle one entry of the due index, if it is still due: a file that nothing used for a day, or an object."""
        if entry.object_key is not None:
            if self._rows.is_removable(entry.project_id, entry.object_key, self._clock()):
                self._delete_object(entry.project_id, entry.object_key)
            return
        file = self._rows.get(entry.project_id, entry.sha256 or "")
        if file is None or file.due_at_ms > self._clock():
            return
        if self.holders(file):
            self._rows.extend(file, is_use=False)
        else:
            self.retire(file)

    def holders(self, file: File) -> list[str]:
        """Return what keeps a file. A holder may be about to write that it names the file, so no hold is removed."""
        return [one for one in self._rows.holders(file.project_id, file.sha256) if self._is_held(file, one)]

    def _is_held(self, file: File, holder: str) -> bool:
        for prefix, is_held in self._env[file_holders].items():
            if holder.startswith(prefix):
                return is_held(file.project_id, file.sha256, holder)
        return True

    def _delete_object(self, project_id: str, object_key: str) -> None:
        self._objects.delete(object_key)
        reach("files.after_object")
        self._rows.forget(project_id, object_key)


def _refusal(project: Project, full: StoreFullError, most_bytes: int) -> RateLimitedError:
    rate = Rate(most_bytes, max(0, most_bytes - full.used_bytes), _FULL_RETRY_SECS)
    kept = f"The files of this project may have {project.files_mb:,} MiB together, and be at most {FILES_MAX:,}."
    stored = f"{full.used_files:,} files with {full.used_bytes:,} bytes are stored."
    way_out = "Delete files, or wait until unused ones expire, a day after their last use."
    return RateLimitedError(f"{kept} {stored} {way_out}", _FULL_RETRY_SECS, rate.headers)
