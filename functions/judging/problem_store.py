"""Versions of problems: their rows in the submissions table; store one, find it for a judge run, delete it."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from hashlib import sha256
from typing import Any, Final

from events.files import PlacedFile, write_files
from events.message import by_name
from events.requested import MAX_CASE_BYTES, Case, CaseObject
from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, from_item, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Page, Table, tries
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import (
    ConflictError,
    FieldProblem,
    FilesMissingError,
    InvalidFieldsError,
    NotFoundError,
    UnavailableError,
)
from functions.files.model import RUN_MAX_MS, USE_NOTED_MS, File
from functions.files.store import FileStore
from functions.files.use import StoredFiles
from functions.judging.model import (
    HOLDER,
    VERSION_CHARS,
    Problem,
    ProblemContent,
    ProblemFile,
    ProblemVersion,
    Reference,
    holder_of,
    read_reference,
)
from functions.judging.problems import ValidProblem, objects_of
from functions.projects.model import Project
from functions.submissions.accept.program_fields import file_meaning, placed

# The rows:
#
# PROBLEMS#<project>      PROBLEM#<id>                a problem, with the numbers of the version that was pushed last
# PROBLEMS#<project>      VERSION#<id>@<version>      a version; a deleted one stays until no run needs its files

PROBLEM: Final = "PROBLEM#"
_VERSION: Final = "VERSION#"
_PK: Final = "PROBLEMS#"
REMOVED_CONTENT: Final = tuple(part.name for part in fields(ProblemContent))
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
        row = self._get(problem_key(project_id, problem_id))
        return None if row is None else to_problem(row)

    def version(self, project_id: str, problem_id: str, version: str) -> ProblemVersion | None:
        """Return a version, deleted or not."""
        row = self._get(version_key(project_id, problem_id, version))
        return None if row is None else to_version(row)

    def add(self, version: ProblemVersion, kept_object: Any, also: Sequence[Any] = ()) -> bool:
        """Write a version, and make it the last one that was pushed. False if it exists.

        `kept_object`: the action that keeps its object (`FileStore.keep`). `also`: more actions, here and below.
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
            "also": also,
        }
        return transact_or_raise(self._client, actions) is None

    def push_again(self, version: ProblemVersion, also: Sequence[Any] = ()) -> bool:
        """Make a stored version the last one that was pushed. False if it was deleted meanwhile."""
        at = version_key(version.project_id, version.problem_id, version.version)
        used = ConditionalUpdate({"used_at_ms": self._clock()}, _USABLE, {})
        actions = {
            "version": used.action(self.table_name, at),
            "problem": self._pushed(version).action(
                self.table_name, problem_key(version.project_id, version.problem_id)
            ),
            "also": also,
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

    def retire(
        self, version: ProblemVersion, removable_at_ms: int, dropped_object: Any, also: Sequence[Any] = ()
    ) -> bool:
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
        unlisted = ConditionalUpdate({}, "attribute_exists(pk)", {}, deletes=version.in_sets)
        at = version_key(version.project_id, version.problem_id, version.version)
        actions = {
            "version": removed.action(self.table_name, at),
            "problem": unlisted.action(self.table_name, problem_key(version.project_id, version.problem_id)),
            "object": dropped_object,
            "also": also,
        }
        return transact_or_raise(self._client, actions) is None

    def delete(self, problem: Problem, also: Sequence[Any] = ()) -> bool:
        """Delete a problem that has no version any more. False if one was pushed meanwhile."""
        action = delete(
            self.table_name,
            problem_key(problem.project_id, problem.problem_id),
            "attribute_not_exists(#versions)",
        )
        return transact_or_raise(self._client, {"problem": action, "also": also}) is None

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
            adds=version.in_sets,
        )


# The object of a version that all runners read, and the hash of its content.

FILES_MAX_BYTES = 196_608
"""Of the files of the program in JSON: the row of a version has at most 400 KB."""


def version_of(request: ValidProblem) -> str:
    """Return the start of the hash of all that a judge run depends on. A text and a file with its bytes are equal."""
    content = request.content
    meaning = {
        **{name: value for name, value in by_name(request.judging).items() if name != "cases"},
        "cases": [_meaning(case) for case in request.judging.cases],
        "plan": content.plan,
        "limits": dict(content.limits),
        "files": [_file_meaning(file) for file in content.files],
        **({"languages": content.languages} if content.languages else {}),
    }
    return sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:VERSION_CHARS]


def _file_meaning(file: PlacedFile) -> dict[str, Any]:
    language = file.language if isinstance(file, ProblemFile) else None
    return file_meaning(file) | ({"language": language.value} if language else {})


def _meaning(case: Case) -> dict[str, Any]:
    own = {name: value for name, value in by_name(case).items() if not name.endswith("_object")}
    return own | {
        "stdin": _hash(case.stdin) if case.stdin_object is None else case.stdin_object.sha256,
        "expected": _hash(case.expected) if case.expected_object is None else case.expected_object.sha256,
    }


def _hash(content: bytes | None) -> str | None:
    return None if content is None else sha256(content).hexdigest()


def check_sizes(cases: Sequence[Case], stored: Mapping[str, File]) -> None:
    """Refuse inputs and expected outputs that are too large. Raises InvalidFieldsError."""
    problems = []
    for name in ("stdin", "expected"):
        for index, case in enumerate(cases):
            unplaced = getattr(case, f"{name}_object")
            if unplaced is not None and (size := stored[unplaced.sha256].size) > MAX_CASE_BYTES:
                text = f"The file has {size:,} bytes, the limit is {MAX_CASE_BYTES:,} bytes."
                problems.append(FieldProblem(f"cases[{index}].{name}_sha256", text))
    if problems:
        raise InvalidFieldsError(tuple(problems))


def placed_case(case: Case, stored: Mapping[str, File]) -> Case:
    """Give the files of a case their objects."""
    return case.changed(
        stdin_object=_placed(case.stdin_object, stored), expected_object=_placed(case.expected_object, stored)
    )


def _placed(unplaced: CaseObject | None, stored: Mapping[str, File]) -> CaseObject | None:
    if unplaced is None:
        return None
    file = stored[unplaced.sha256]
    return CaseObject(key=file.object_key, size=file.size, sha256=file.sha256)


def placed_files(files: tuple[PlacedFile, ...], stored: Mapping[str, File]) -> tuple[PlacedFile, ...]:
    """Give the files of the program their objects. Raises InvalidFieldsError."""
    made = placed(files, stored)
    if made and len(write_files(made)) > FILES_MAX_BYTES:
        text = f"Paths and contents of all files have at most {FILES_MAX_BYTES:,} bytes in JSON. Store the contents."
        raise InvalidFieldsError((FieldProblem("files", text),))
    return made


def _contents_bytes(case: Case) -> int:
    """Return the bytes of the input and the expected output of a case."""
    return len(case.stdin or b"") + len(case.expected or b"") + sum(part.size for part in objects_of(case))


_THREADS = 8
"""Calls at a time: each of up to 2,000 files costs three, and a request has 30 s."""


UNKNOWN = "This project has no such problem. GET /api/problems lists them, POST /api/problems stores one."
_PUSHED = "The problem was pushed or used meanwhile. Repeat the request."


class StoredProblems:
    """Stores versions of problems, finds them for judge runs, and deletes them.

    Judge runs that began keep the cases of a deleted version; new ones do not find it.
    """

    def __init__(self, env: Env) -> None:
        self.store = env[ProblemStore]
        self.files = env[FileStore]
        self.stored = env[StoredFiles]
        self.clock = env.clock

    def push(self, project: Project, request: ValidProblem, also: Sequence[Any] = ()) -> ProblemVersion:
        """Return the stored version. Equal content is the same version. Repeating the call is safe.

        `also`: actions of the transaction that makes it the last one that was pushed.

        Raises FilesMissingError, InvalidFieldsError, RateLimitedError, UnavailableError.
        """
        version = version_of(request)
        for _ in tries():
            known = self.store.version(project.project_id, request.problem_id, version)
            if known is not None and known.removable_at_ms is None:
                if self.store.push_again(known, also):
                    return known
            elif (made := self._store(project, request, version, also)) is not None:
                return made
        raise UnavailableError("Other requests keep changing this problem. Repeat the request.", 1)

    def compare(self, project_id: str, request: ValidProblem) -> tuple[str, bool, list[str]]:
        """Return the version of a problem, whether it was pushed last, and the hashes of files that are not stored."""
        version, problem = version_of(request), self.store.get(project_id, request.problem_id)
        if problem is not None and problem.version == version:
            return version, True, []
        with ThreadPoolExecutor(_THREADS) as threads:
            files = threads.map(lambda sha256: self.stored.find(project_id, sha256), request.stored_files)
            return version, False, [one for one, file in zip(request.stored_files, files, strict=True) if file is None]

    def _store(
        self, project: Project, request: ValidProblem, version: str, also: Sequence[Any]
    ) -> ProblemVersion | None:
        """Return a new version. None if another request has just stored it."""
        stored = self._hold(project, request.stored_files, holder_of(request.problem_id, version))
        check_sizes(request.judging.cases, stored)
        cases = tuple(placed_case(case, stored) for case in request.judging.cases)
        files = placed_files(request.content.files, stored)
        judging = request.judging.changed(cases=cases).serialise().encode()
        object_key = self.stored.put_object(project, judging, "application/json")
        made = ProblemVersion(
            **{part.name: getattr(request.content, part.name) for part in fields(ProblemContent)} | {"files": files},
            project_id=project.project_id,
            problem_id=request.problem_id,
            version=version,
            cases=len(cases),
            size_bytes=sum(map(_contents_bytes, cases)),
            created_at=to_rfc3339(self.clock()),
            object_key=object_key,
            object_size=len(judging),
            object_sha256=sha256(judging).hexdigest(),
        )
        return made if self.store.add(made, self.files.keep(project.project_id, object_key), also) else None

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

    def delete(self, problem: Problem, also: Sequence[Any] = ()) -> bool:
        """Delete a problem with all of its versions, the last one first. Raises ConflictError.

        `also`: actions of the last transaction. After a crash before it, the problem is there, and a repeat ends it.
        """
        for version in (problem.version, *sorted(problem.versions - {problem.version})):
            self._retire(problem, version)
        if not self.store.delete(problem, also):
            raise ConflictError(_PUSHED)
        return True

    def delete_version(self, problem: Problem, version: str, also: Sequence[Any] = ()) -> bool:
        """Delete one version. Raises ConflictError for the last one that was pushed."""
        if version == problem.version:
            text = f"{problem.problem_id}@{version} was pushed last."
            raise ConflictError(f"{text} Push another version, or delete the problem.")
        return self._retire(problem, version, also)

    def _retire(self, problem: Problem, version: str, also: Sequence[Any] = ()) -> bool:
        for _ in tries():
            row = self.store.version(problem.project_id, problem.problem_id, version)
            if row is None or row.removable_at_ms is not None:
                return False
            used_at_ms = 0 if row.used_at_ms is None else row.used_at_ms
            removable_at_ms = max(self.clock(), used_at_ms + USE_NOTED_MS + RUN_MAX_MS)
            dropped = self.files.drop(row.project_id, row.object_key, row.object_size, removable_at_ms)
            if self.store.retire(row, removable_at_ms, dropped, also):
                return True
        raise ConflictError(_PUSHED)
