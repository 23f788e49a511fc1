"""Store a version of a problem."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from functions.aws.dynamodb.retries import tries
from functions.clock import Clock, now_ms, to_rfc3339
from functions.errors import FilesMissingError, UnavailableError
from functions.failpoint import reach
from functions.judging.problems.content import check_sizes, content_of, contents_bytes, placed_files, version_of
from functions.judging.problems.model import ProblemVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.files.model import File
    from functions.files.objects import FileObjects
    from functions.files.store import FileStore
    from functions.files.use import FileCreation, FileUse
    from functions.judging.problems.requests import ProblemRequest
    from functions.judging.problems.store import ProblemStore
    from functions.projects.model import Project

_THREADS = 8
"""Calls at a time: each of up to 2,000 files costs three, and a request has 30 s."""


@dataclass(frozen=True, slots=True)
class ProblemPush:
    """Stores versions of problems."""

    problems: ProblemStore
    files: FileStore
    use: FileUse
    creation: FileCreation
    objects: FileObjects
    clock: Clock = now_ms

    def push(self, project: Project, request: ProblemRequest) -> ProblemVersion:
        """Return the stored version. Equal content is the same version. Repeating the call is safe.

        Raises FilesMissingError, InvalidFieldsError, RateLimitedError, UnavailableError.
        """
        version = version_of(request)
        for _ in tries():
            known = self.problems.version(project.project_id, request.problem_id, version)
            if known is not None and known.removable_at_ms is None:
                if self.problems.push_again(known):
                    return known
            elif (made := self._store(project, request, version)) is not None:
                return made
        raise UnavailableError("Other requests keep changing this problem. Repeat the request.", 1)

    def _store(self, project: Project, request: ProblemRequest, version: str) -> ProblemVersion | None:
        """Return a new version. None if another request has just stored it."""
        holder = ProblemVersion(project.project_id, request.problem_id, version, 0, 0, "", "", 0, "").holder
        stored = self._hold(project, request.stored_files, holder)
        check_sizes(request, stored)
        files = placed_files(request, stored)
        content = content_of(request, stored).serialise().encode()
        object_key = self.creation.reserve(project, len(content))
        reach("problems.after_reserve")
        self.objects.put(object_key, content, "application/json")
        reach("problems.after_object")
        programs = [checker.program for checker in request.judging.checkers if checker.program is not None]
        made = ProblemVersion(
            project.project_id,
            request.problem_id,
            version,
            cases=len(request.judging.cases),
            size_bytes=contents_bytes(request, stored),
            created_at=to_rfc3339(self.clock()),
            object_key=object_key,
            object_size=len(content),
            object_sha256=sha256(content).hexdigest(),
            plan=request.plan.to_json(),
            limits=request.limits,
            case_limits={str(index): own for index, own in request.case_limits.items()},
            files=files,
            checker_languages=tuple(sorted({program.language.value for program in programs})),
            warnings=request.warnings,
            used_at_ms=self.clock(),
        )
        return made if self.problems.add(made, self.files.keep(project.project_id, object_key)) else None

    def _hold(self, project: Project, sha256s: Sequence[str], holder: str) -> dict[str, File]:
        """Return files by their hashes, which are kept while the version exists. Raises FilesMissingError."""
        found: dict[str, File] = {}
        missing: list[str] = []

        def hold(some: Sequence[str]) -> None:
            for one in some:
                try:
                    found.update(self.use.hold(project, [one]))
                    self.files.hold(project.project_id, [one], holder)
                except FilesMissingError as error:
                    missing.extend(error.missing)

        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(hold, [sha256s[number::_THREADS] for number in range(_THREADS)]))
        if missing:
            raise FilesMissingError(tuple(sorted(missing, key=sha256s.index)))
        return found
