"""Find a file of a project; its first use confirms that the bucket has the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.files.model import FileState

if TYPE_CHECKING:
    from functions.files.model import File
    from functions.files.objects import FileObjects
    from functions.files.store import FileStore


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
