"""Checks keep the stored files that they name: see `functions.files`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore
    from functions.files.store import FileStore
    from functions.files.use import FileUse
    from functions.projects.model import Project

HOLDER = "check "
"""Start of the name by which a check holds its files."""


@dataclass(frozen=True, slots=True)
class CheckFiles:
    """Holds files for checks. A hold is only a hint: the sweeper asks `is_named`."""

    checks: CheckStore
    files: FileStore
    use: FileUse

    def hold(self, check: Check, project: Project) -> None:
        """Keep the stored files of a check of this project, before it is written.

        Raises FilesMissingError, RateLimitedError.
        """
        hashes = check.settings.stored_files
        if hashes:
            self.use.hold(project, hashes)
            self.files.hold(check.project_id, hashes, f"{HOLDER}{check.check_id}")

    def is_named(self, project_id: str, sha256: str, holder: str) -> bool:
        """Tell whether the check of a hold still names a file."""
        check = self.checks.get(project_id, holder.removeprefix(HOLDER), with_source=True)
        return check is not None and sha256 in check.settings.stored_files
