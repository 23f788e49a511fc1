"""Find the version of a problem that a judge run names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import NotFoundError
from functions.judging.problems.model import HOLDER, Reference, read_reference

if TYPE_CHECKING:
    from functions.clock import Clock
    from functions.judging.problems.model import Problem, ProblemVersion
    from functions.judging.problems.store import ProblemStore

UNKNOWN = "This project has no such problem. GET /api/problems lists them, POST /api/problems stores one."


@dataclass(frozen=True, slots=True)
class ProblemLookup:
    """Finds problems."""

    store: ProblemStore
    clock: Clock

    def use(self, project_id: str, text: str) -> ProblemVersion:
        """Return the version for a run, which keeps its files until the run is over. Raises NotFoundError."""
        version = self.find(project_id, text)[1]
        if not self.store.note_use(version):
            raise NotFoundError(UNKNOWN)
        return version

    def find(self, project_id: str, text: str) -> tuple[Problem, ProblemVersion]:
        """Return the problem and the version that `id` or `id@version` names. Raises NotFoundError."""
        reference = read_reference(text)
        problem = None if reference is None else self.store.get(project_id, reference.problem_id)
        version = self._version(project_id, reference, problem)
        if problem is None or version is None:
            raise NotFoundError(UNKNOWN)
        return problem, version

    def is_holding(self, project_id: str, holder: str) -> bool:
        """Tell whether a version still needs the files that it holds. It names all of them: it never changes."""
        reference = read_reference(holder.removeprefix(HOLDER))
        if reference is None or reference.version is None:
            return False
        version = self.store.version(project_id, reference.problem_id, reference.version)
        return version is not None and (version.removable_at_ms is None or version.removable_at_ms > self.clock())

    def _version(self, project_id: str, reference: Reference | None, problem: Problem | None) -> ProblemVersion | None:
        if reference is None or problem is None:
            return None
        version = self.store.version(project_id, reference.problem_id, reference.version or problem.version)
        return version if version is not None and version.removable_at_ms is None else None
