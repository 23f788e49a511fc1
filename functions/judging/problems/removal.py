"""Delete versions of problems. Judge runs that began keep their cases; new ones do not find the version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.dynamodb.retries import tries
from functions.errors import ConflictError
from functions.files.model import RUN_MAX_MS, USE_NOTED_MS

if TYPE_CHECKING:
    from functions.clock import Clock
    from functions.files.store import FileStore
    from functions.judging.problems.model import Problem
    from functions.judging.problems.store import ProblemStore

_PUSHED = "The problem was pushed or used meanwhile. Repeat the request."


@dataclass(frozen=True, slots=True)
class ProblemRemoval:
    """Deletes problems."""

    store: ProblemStore
    files: FileStore
    clock: Clock

    def delete(self, problem: Problem) -> None:
        """Delete a problem with all of its versions, the last one first. Raises ConflictError."""
        for version in (problem.version, *sorted(problem.versions - {problem.version})):
            self._retire(problem, version)
        if not self.store.delete(problem):
            raise ConflictError(_PUSHED)

    def delete_version(self, problem: Problem, version: str) -> None:
        """Delete one version. Raises ConflictError for the last one that was pushed."""
        if version == problem.version:
            text = f"{problem.problem_id}@{version} was pushed last."
            raise ConflictError(f"{text} Push another version, or delete the problem.")
        self._retire(problem, version)

    def _retire(self, problem: Problem, version: str) -> None:
        for _ in tries():
            row = self.store.version(problem.project_id, problem.problem_id, version)
            if row is None or row.removable_at_ms is not None:
                return
            used_at_ms = 0 if row.used_at_ms is None else row.used_at_ms
            removable_at_ms = max(self.clock(), used_at_ms + USE_NOTED_MS + RUN_MAX_MS)
            dropped = self.files.drop(row.project_id, row.object_key, row.object_size, removable_at_ms)
            if self.store.retire(row, removable_at_ms, dropped):
                return
        raise ConflictError(_PUSHED)
