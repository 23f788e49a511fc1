"""Versions of problems: their rows in the submissions table; store one, find it for a judge run, delete it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from events.files import write_files
from events.message import by_name
from events.requested import MAX_CASE_BYTES, CaseObject
from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Page, Table, tries
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import (
    ConflictError,
    FieldProblem,
    FilesMissingError,
    InvalidFieldsError,
    NotFoundError,
    UnavailableError,
)
from functions.files.model import RUN_MAX_MS, USE_NOTED_MS
from functions.files.store import FileStore
from functions.files.use import StoredFiles
from functions.judging.model import HOLDER, VERSION_CHARS, Problem, ProblemVersion, Reference, read_reference
from functions.submissions.accept.program_fields import file_meaning, placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from events.requested import Case, Judging
    from functions.aws.dynamodb.items import Key
    from functions.env import Env
    from functions.files.model import File
    from functions.judging.problems import ProblemRequest
    from functions.projects.model import Project

# The rows:
#
# PROBLEMS#<project>      PROBLEM#<id>                a problem, with the numbers of the version that was pushed last
# PROBLEMS#<project>      VERSION#<id>@<version>      a version; a deleted one stays until no run needs its files

PROBLEM: Final = "PROBLEM#"
_VERSION: Final = "VERSION#"
_PK: Final = "PROBLEMS#"
REMOVED_CONTENT: Final = ("plan", "limits", "case_limits", "files", "checker_languages", "warnings")
"""Attributes that a deleted version loses."""


def problems_pk(project_id: str) -> str:
    """Return the partition key of a project's problems."""
    return f"{_PK}{project_id}"


def problem_key(project_id: str, problem_id: str) -> Key:
    """Return the primary key of a problem."""
    return key(problems_pk(project_id), PROBLEM + problem_id)


def version_key(project_id: str, problem_id: str, version: str) -> Key:
    """Return the primary key of a version."""
    return key(problems_pk(project_id), f"{_VERSION}{problem_id}@{version}")


def version_row(version: ProblemVersion) -> dict[str, Any]:
    """Return the row of a version."""
    sk = f"{_VERSION}{version.name}"
    return {**write(version), "pk": problems_pk(version.project_id), "sk": sk}


def to_problem(row: dict[str, Any]) -> Problem:
    """Decode the row of a problem."""
    project_id, problem_id = str(row["pk"]).removeprefix(_PK), str(row["sk"]).removeprefix(PROBLEM)
    return read(Problem, {**row, "project_id": project_id, "problem_id": problem_id})


def to_version(row: dict[str, Any]) -> ProblemVersion:
    """Decode the row of a version."""
    problem_id, _, version = str(row["sk"]).removeprefix(_VERSION).rpartition("@")
    project_id = str(row["pk"]).removeprefix(_PK)
    return read(ProblemVersion, {**row, "project_id": project_id, "problem_id": problem_id, "version": version})


_KEPT_SECS = 86_400
"""The row of a deleted version stays for so long after its last use."""
_USABLE = "attribute_exists(pk) AND attribute_not_exists(#removable_at_ms)"


class ProblemStore(Table):
    """The problems of all projects."""

    table_setting = "submissions_table"

    def get(self, project_id: str, problem_id: str) -> Problem | None:
        """Return a problem."""
        row = self._get(problem_key(project_id, problem_id))
        return None if row is None else to_problem(row)

    def version(self, project_id: str, problem_id: str, version: str) -> ProblemVersion | None:
        """Return a version, deleted or not."""
        row = self._get(version_key(project_id, problem_id, version))
        return None if row is None else to_version(row)

    def add(self, version: ProblemVersion, kept_object: Any) -> bool:
        """Write a version, and make it the last one that was pushed. False if it exists.

        `kept_object`: the action that keeps its object (`FileStore.keep`).
        """
        actions = {
            "version": put(
                self.table_name,
                to_item(version_row(version)),
                "attribute_not_exists(pk) OR attribute_exists(#removable_at_ms)",
            ),
            "problem": self._pushed(version).action(
                self.table_name, problem_key(version.project_id, version.problem_id)
            ),
            "object": kept_object,
        }
        return transact_or_raise(self._client, actions) is None

    def push_again(self, version: ProblemVersion) -> bool:
        """Make a stored version the last one that was pushed. False if it was deleted meanwhile."""
        at = version_key(version.project_id, version.problem_id, version.version)
        used = ConditionalUpdate({"used_at_ms": self._clock()}, _USABLE, {})
        actions = {
            "version": used.action(self.table_name, at),
            "problem": self._pushed(version).action(
                self.table_name, problem_key(version.project_id, version.problem_id)
            ),
        }
        return transact_or_raise(self._client, actions) is None

    def note_use(self, version: ProblemVersion) -> bool:
        """Note that a run uses a version, unless another did within USE_NOTED_MS. False if it was deleted."""
        now = self._clock()
        if version.removable_at_ms is not None:
            return False
        if version.used_at_ms is not None and now - version.used_at_ms < USE_NOTED_MS:
            return True
        update = ConditionalUpdate({"used_at_ms": now}, _USABLE, {})
        return self._update_unread(update, version_key(version.project_id, version.problem_id, version.version))

    def retire(self, version: ProblemVersion, removable_at_ms: int, dropped_object: Any) -> bool:
        """Delete a version; it still holds its files until `removable_at_ms`. False if it was used meanwhile.

        `dropped_object`: the action that has its object deleted then (`FileStore.drop`).
        """
        condition, values = f"{_USABLE} AND attribute_not_exists(#used_at_ms)", {}
        if version.used_at_ms is not None:
            condition, values = f"{_USABLE} AND #used_at_ms = :seen", {"seen": version.used_at_ms}
        removed = ConditionalUpdate(
            {"removable_at_ms": removable_at_ms, "ttl": removable_at_ms // MS_PER_SEC + _KEPT_SECS},
            condition,
            values,
            REMOVED_CONTENT,
        )
        unlisted = ConditionalUpdate({}, "attribute_exists(pk)", {}, deletes={"versions": frozenset({version.version})})
        at = version_key(version.project_id, version.problem_id, version.version)
        actions = {
            "version": removed.action(self.table_name, at),
            "problem": unlisted.action(self.table_name, problem_key(version.project_id, version.problem_id)),
            "object": dropped_object,
        }
        return transact_or_raise(self._client, actions) is None

    def delete(self, problem: Problem) -> bool:
        """Delete a problem that has no version any more. False if one was pushed meanwhile."""
        action = delete(
            self.table_name,
            problem_key(problem.project_id, problem.problem_id),
            "attribute_not_exists(#versions)",
        )
        return transact_or_raise(self._client, {"problem": action}) is None

    def page(self, project_id: str, limit: int, after: str | None) -> Page[Problem]:
        """Return problems in the order of their ids. `after`: the last id of the page before."""
        values = {
            ":pk": problems_pk(project_id),
            ":first": f"{PROBLEM}{after}!" if after else PROBLEM,
            ":last": f"{PROBLEM}~",
        }
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
            Limit=limit + 1,
        )
        found = [to_problem(from_item(item)) for item in answer["Items"]]
        has_more = len(found) > limit
        return Page(tuple(found[:limit]), found[limit - 1].problem_id if has_more else None)

    def _pushed(self, version: ProblemVersion) -> ConditionalUpdate:
        now = to_rfc3339(self._clock())
        return ConditionalUpdate(
            {
                "version": version.version,
                "cases": version.cases,
                "size_bytes": version.size_bytes,
                "pushed_at": now,
            },
            "",
            {"now": now},
            computed=("#created_at = if_not_exists(#created_at, :now)",),
            adds={"versions": frozenset({version.version})},
        )


# The object of a version that all runners read, and the hash of its content.

FILES_MAX_BYTES = 196_608
"""Of the files of the program in JSON: the row of a version has at most 400 KB."""


def version_of(request: ProblemRequest) -> str:
    """Return the start of the hash of all that a judge run depends on. A text and a file with its bytes are equal."""
    judging = {name: value for name, value in by_name(request.judging).items() if name != "cases"}
    cases = [
        {
            **by_name(case),
            "stdin": request.stdin_files.get(index) or _hash(case.stdin),
            "expected": request.expected_files.get(index) or _hash(case.expected),
        }
        for index, case in enumerate(request.judging.cases)
    ]
    meaning = {
        **judging,
        "cases": cases,
        "plan": request.plan.to_json(),
        "limits": dict(request.limits),
        "files": [file_meaning(file) for file in request.files],
    }
    return sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:VERSION_CHARS]


def check_sizes(request: ProblemRequest, stored: Mapping[str, File]) -> None:
    """Refuse inputs and expected outputs that are too large. Raises InvalidFieldsError."""
    if problems := tuple(_size_problems(request, stored)):
        raise InvalidFieldsError(problems)


def placed_files(request: ProblemRequest, stored: Mapping[str, File]) -> bytes | None:
    """Return the files of the program, as a message has them. Raises InvalidFieldsError."""
    files = placed(request.files, stored)
    written = write_files(files) if files else None
    if len(written or b"") > FILES_MAX_BYTES:
        text = f"Paths and contents of all files have at most {FILES_MAX_BYTES:,} bytes in JSON. Store the contents."
        raise InvalidFieldsError((FieldProblem("files", text),))
    return written


def content_of(request: ProblemRequest, stored: Mapping[str, File]) -> Judging:
    """Return the data for runners, with the objects of its files."""
    cases = tuple(_with_objects(request, stored, index, case) for index, case in enumerate(request.judging.cases))
    return request.judging.changed(cases=cases)


def contents_bytes(request: ProblemRequest, stored: Mapping[str, File]) -> int:
    """Return the bytes of all inputs and expected outputs together."""
    texts = sum(len(case.stdin or b"") + len(case.expected or b"") for case in request.judging.cases)
    hashes = (*request.stdin_files.values(), *request.expected_files.values())
    return texts + sum(stored[one].size for one in hashes)


def _hash(content: bytes | None) -> str | None:
    return None if content is None else sha256(content).hexdigest()


def _size_problems(request: ProblemRequest, stored: Mapping[str, File]) -> Iterator[FieldProblem]:
    for name, files in (("stdin", request.stdin_files), ("expected", request.expected_files)):
        for index, one in files.items():
            if (size := stored[one].size) > MAX_CASE_BYTES:
                text = f"The file has {size:,} bytes, the limit is {MAX_CASE_BYTES:,} bytes."
                yield FieldProblem(f"cases[{index}].{name}_sha256", text)


def _with_objects(request: ProblemRequest, stored: Mapping[str, File], index: int, case: Case) -> Case:
    changes: dict[str, Any] = {}
    if (stdin := request.stdin_files.get(index)) is not None:
        changes |= {"stdin": None, "stdin_object": _object(stored[stdin])}
    if (expected := request.expected_files.get(index)) is not None:
        changes |= {"expected_object": _object(stored[expected])}
    return case.changed(**changes)


def _object(file: File) -> CaseObject:
    return CaseObject(key=file.object_key, size=file.size, sha256=file.sha256)


_THREADS = 8
"""Calls at a time: each of up to 2,000 files costs three, and a request has 30 s."""


class ProblemPush:
    """Stores versions of problems."""

    def __init__(self, env: Env) -> None:
        self.problems = env[ProblemStore]
        self.files = env[FileStore]
        self.stored = env[StoredFiles]
        self.clock = env.clock

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
        object_key = self.stored.put_object(project, content, "application/json")
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
                    found.update(self.stored.hold(project, [one]))
                    self.files.hold(project.project_id, [one], holder)
                except FilesMissingError as error:
                    missing.extend(error.missing)

        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(hold, [sha256s[number::_THREADS] for number in range(_THREADS)]))
        if missing:
            raise FilesMissingError(tuple(sorted(missing, key=sha256s.index)))
        return found


UNKNOWN = "This project has no such problem. GET /api/problems lists them, POST /api/problems stores one."


class ProblemLookup:
    """Finds problems."""

    def __init__(self, env: Env) -> None:
        self.store = env[ProblemStore]
        self.clock = env.clock

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

    def is_held(self, project_id: str, _sha256: str, holder: str) -> bool:
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


# Delete versions of problems. Judge runs that began keep their cases; new ones do not find the version.

_PUSHED = "The problem was pushed or used meanwhile. Repeat the request."


class ProblemRemoval:
    """Deletes problems."""

    def __init__(self, env: Env) -> None:
        self.store = env[ProblemStore]
        self.files = env[FileStore]
        self.clock = env.clock

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
