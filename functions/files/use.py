"""Hold the files that a run names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import FilesMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.files.artifact_copies import ArtifactCopies
    from functions.files.model import File
    from functions.files.store import FileStore
    from functions.projects.model import Project


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
