"""Delete files: those that a client deletes, and those that nothing used for a day.

A file is taken from its project first. Its object goes when no accepted run can need it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms
from functions.failpoint import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.files.model import File
    from functions.files.objects import FileObjects
    from functions.files.store import DueFile, FileStore

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
