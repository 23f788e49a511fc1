"""Make a file of an artifact whose hash a client names, so that the client sends no bytes.

The file is a copy: it stays when the result of the artifact is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.files.model import FileState

if TYPE_CHECKING:
    from functions.files.artifact_store import ArtifactStore
    from functions.files.creation import FileCreation
    from functions.files.lookup import FileLookup
    from functions.files.model import File
    from functions.projects.model import Project


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
