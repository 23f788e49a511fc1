"""Write the row of a new file, within the quota of its project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms, to_rfc3339
from functions.errors import RateLimitedError
from functions.files.model import FILES_MAX, MIB, UPLOADING_MS, File
from functions.files.objects import new_object_key
from functions.files.store import StoreFullError
from functions.projects.model import Rate

if TYPE_CHECKING:
    from functions.files.store import FileStore
    from functions.projects.model import Project

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
