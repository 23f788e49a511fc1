"""Problems kept on the service: what a client sends, and what a client sees, without any part of a case."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, NotRequired, TypedDict, cast

from pydantic import Field

from events.files import MAX_CASES, MAX_FILES, PlacedFile
from events.limits import RaisedCeilings
from events.requested import MAX_CASE_BYTES, Case, CaseObject, Judging
from events.vocabulary import CheckerKind, Language, Profile, Stop
from functions.errors import FieldProblem
from functions.files.model import Sha256
from functions.http.openapi.bodies import Count, Measure, Time
from functions.http.validation import Problems, StrictModel, Text, parse_body
from functions.judging.body import (
    CASES_TOTAL_MAX_BYTES,
    MAX_GROUPS,
    CaseRequest,
    CheckerRequest,
    GroupRequest,
    find_problems,
    unanswered_warnings,
)
from functions.judging.model import ID_PATTERN, Plan, Problem, ProblemContent, ProblemFile, ProblemVersion
from functions.judging.requests import case_limit_problems, to_judging, to_plan
from functions.submissions.accept.program_fields import (
    FileEntry,
    LimitRules,
    RequestLimits,
    checked_files,
    stored_hashes,
    with_case_files,
)

# What a client sees of problems: no part of a case. Each `TypedDict` is a schema of the OpenAPI document.

type VersionHash = Annotated[str, Field(description="Of its content: equal content has the same version.")]


class ProblemSummary(TypedDict):
    """A problem, with the numbers of the version that was pushed last."""

    id: str
    version: VersionHash
    cases: Count
    size_bytes: Annotated[Count, Field(description="Of all inputs and expected outputs.")]
    created_at: Time
    pushed_at: Time


class ProblemGroup(TypedDict):
    """One group."""

    id: str
    cases: Count
    points: Annotated[Measure | None, Field(description="null: those of its cases together.")]


class ProblemDetails(ProblemSummary):
    """A version of a problem."""

    groups: list[ProblemGroup]
    limits: dict[str, Measure]
    files: Annotated[list[str], Field(description="Paths of the files for the program.")]
    languages: NotRequired[Annotated[list[Language], Field(description="Only if not all are allowed.")]]
    versions: Annotated[list[VersionHash], Field(description="All that are stored, the oldest first.")]


class ProblemPage(TypedDict):
    """One page, in the order of the ids."""

    items: list[ProblemSummary]
    next_cursor: str | None


class ProblemPushed(TypedDict):
    """The stored version."""

    id: str
    version: VersionHash
    cases: Count
    size_bytes: Count
    warnings: NotRequired[
        Annotated[list[str], Field(description="Only if every program passes some cases: they are named.")]
    ]


class ProblemValid(TypedDict):
    """The problem is valid here and now."""

    valid: Literal[True]
    version: VersionHash
    is_last: Annotated[bool, Field(description="The version was pushed last, so a push would change nothing.")]
    missing: Annotated[list[Sha256], Field(description="Files that the project does not store yet.")]


class ProblemDeleted(TypedDict):
    """The problem, or the version, is gone."""

    id: str
    version: NotRequired[VersionHash]
    deleted: Literal[True]


def pushed_body(version: ProblemVersion, warnings: Sequence[str]) -> ProblemPushed:
    """Return the body of a push."""
    body: ProblemPushed = {
        "id": version.problem_id,
        "version": version.version,
        "cases": version.cases,
        "size_bytes": version.size_bytes,
    }
    if warnings:
        body["warnings"] = list(warnings)
    return body


def summary_body(problem: Problem) -> ProblemSummary:
    """Return a problem of the list."""
    return {
        "id": problem.problem_id,
        "version": problem.version,
        "cases": problem.cases,
        "size_bytes": problem.size_bytes,
        "created_at": problem.created_at,
        "pushed_at": problem.pushed_at,
    }


def details_body(problem: Problem, version: ProblemVersion) -> ProblemDetails:
    """Return one version of a problem."""
    plan = Plan.of_json(version.plan)
    members = [case.group for case in plan.cases]
    only = {"languages": [Language(name) for name in version.languages]} if version.languages else {}
    body = {
        **summary_body(problem),
        "version": version.version,
        "cases": version.cases,
        "size_bytes": version.size_bytes,
        "groups": [{"id": group.id, "cases": members.count(group.id), "points": group.points} for group in plan.groups],
        "limits": dict(version.limits),
        "files": list(dict.fromkeys(file.path for file in version.files)),
        **only,
        "versions": problem.ordered_versions,
    }
    return cast("ProblemDetails", body)


# Check the body of POST /api/problems. Wrong fields raise InvalidFieldsError (422), which names their places.

# The body of POST /api/problems, field by field.

_OF_FILE = f"of a file of the project (POST /api/files) with at most {MAX_CASE_BYTES:,} bytes."


class ProblemCase(CaseRequest):
    """One test case. Its input and its expected output are texts, or files of the project."""

    stdin_sha256: Sha256 | None = Field(default=None, description=f"In place of stdin: the hash {_OF_FILE}")
    expected_sha256: Sha256 | None = Field(default=None, description=f"In place of expected: the hash {_OF_FILE}")

    @property
    def hashes(self) -> tuple[str | None, str | None]:
        return self.stdin_sha256, self.expected_sha256


class ProblemFileEntry(FileEntry):
    """A file for the program."""

    language: Language | None = Field(
        default=None, strict=False, description="Only programs in this language have the file; null: all have it."
    )


class ProblemBody(StrictModel):
    """Body of POST /api/problems. null means the default of an optional field."""

    id: Text = Field(
        pattern=ID_PATTERN,
        description="Your name for it: up to 64 letters, digits, dots, hyphens and underscores.",
        examples=["hello"],
    )
    cases: Annotated[list[ProblemCase], Field(min_length=1, max_length=MAX_CASES)] = Field(
        description=f"Texts of inputs and expected outputs together have at most {CASES_TOTAL_MAX_BYTES:,} bytes."
    )
    checker: CheckerRequest | None = Field(default=None, description="lines by default; a case may have its own.")
    groups: Annotated[list[GroupRequest], Field(max_length=MAX_GROUPS)] | None = None
    stop: Stop | None = Field(
        default=None, strict=False, description="Which cases are skipped after a failure: never (default), or others."
    )
    limits: RequestLimits | None = Field(default=None, description="Of the program; a judge run may have others.")
    files: Annotated[list[ProblemFileEntry], Field(max_length=MAX_FILES)] | None = Field(
        default=None, repr=False, description="Files for the program, in its working directory, in all cases."
    )
    languages: Annotated[list[Annotated[Language, Field(strict=False)]], Field(min_length=1)] | None = Field(
        default=None, description="Programs may be in these languages only; null: in all."
    )


PLAN_MAX_BYTES = 163_840
"""The names, points, groups and limits of all cases, as the row of a version and those of its judge runs hold them."""
FILES_INLINE_MAX_BYTES = 65_536
"""Contents of files for the program, as the row of a version holds them."""


@dataclass(frozen=True, slots=True)
class ValidProblem:
    """A valid problem. Files of the project are named in its cases and files, without their objects."""

    problem_id: str
    content: ProblemContent
    judging: Judging = field(repr=False)

    @property
    def stored_files(self) -> tuple[str, ...]:
        """The hashes of all files of the project that it names, each once."""
        of_cases = (part.sha256 for case in self.judging.cases for part in objects_of(case))
        return tuple(dict.fromkeys((*of_cases, *stored_hashes(self.content.files))))


def objects_of(case: Case) -> tuple[CaseObject, ...]:
    """Return the input and the expected output of a case, where they are files."""
    return tuple(part for part in (case.stdin_object, case.expected_object) if part is not None)


def parse_problem(raw: bytes, *, offered: Iterable[Language], raised: RaisedCeilings | None = None) -> ValidProblem:
    """Check a request body. `raised`: ceilings of limits. Raises ServiceError."""
    languages, problems = tuple(offered), Problems()
    body = parse_body(ProblemBody, raw, problems)
    limit_rules = LimitRules(languages, tuple(Profile), raised)  # a judge run checks them for its own
    limits, wrong = limit_rules.check(body.limits)
    problems.add(wrong)
    of_cases = []
    for index, case in enumerate(body.cases):
        own, wrong = limit_rules.check(case.limits)
        problems.add(case_limit_problems(index, own, wrong))
        of_cases.append(own)
    problems.add(find_problems(body, languages))
    problems.add(_content_problems(body))
    files, wrong = _files(body, languages)
    problems.add(wrong)
    plan, case_limits = to_plan(body).to_json(), {str(index): own for index, own in enumerate(of_cases) if own}
    size = len(json.dumps([plan, case_limits], separators=(",", ":")))
    if size > PLAN_MAX_BYTES:
        text = f"Names, groups and limits of all cases have {size:,} bytes in JSON, the limit is {PLAN_MAX_BYTES:,}."
        problems.add([FieldProblem("cases", f"{text} Send shorter names.")])
    problems.refuse()
    judging = to_judging(body, of_cases)
    content = ProblemContent(
        plan=plan,
        limits=limits,
        case_limits=case_limits,
        files=files,
        languages=tuple(sorted(language.value for language in body.languages or ())),
        checker_languages=tuple(sorted({one.program.language.value for one in judging.checkers if one.program})),
        warnings=unanswered_warnings(body),
    )
    return ValidProblem(body.id, content, judging)


def _content_problems(body: ProblemBody) -> Iterator[FieldProblem]:
    for index, case in enumerate(body.cases):
        for name, text, sha256 in (
            ("stdin", case.stdin, case.stdin_sha256),
            ("expected", case.expected, case.expected_sha256),
        ):
            if text is not None and sha256 is not None:
                yield FieldProblem(f"cases.{index}.{name}", f"Send {name} or {name}_sha256, not both.")
        checker = case.checker or body.checker
        if checker is not None and checker.kind is CheckerKind.INTERACTOR and case.expected_sha256 is not None:
            text = "An interactor judges the conversation: leave it out."
            yield FieldProblem(f"cases.{index}.expected_sha256", text)


def _files(body: ProblemBody, offered: tuple[Language, ...]) -> tuple[tuple[PlacedFile, ...], list[FieldProblem]]:
    """Check the files of the program for every language: their names must fit the program of any judge run."""
    entries = body.files or []
    common: tuple[PlacedFile, ...] = ()
    of_languages: list[PlacedFile] = []
    problems: dict[str, FieldProblem] = {}
    for language in dict.fromkeys([*offered, *(entry.language for entry in entries if entry.language)]):
        places = [place for place, entry in enumerate(entries) if entry.language in (None, language)]
        own = {entries[place].path for place in places if entries[place].language}
        found, wrong = checked_files([entries[place] for place in places], (), language)
        wrong = [replace(problem, field=_in_body(problem.field, places)) for problem in wrong]
        files, of_cases = with_case_files(found, [case.files or () for case in body.cases], language)
        problems |= {problem.field: problem for problem in (*wrong, *of_cases)}
        common = tuple(file for file in files if file.case is not None or file.path not in own)
        of_languages += [_of_language(file, language) for file in found if file.path in own]
    files = (*common, *of_languages)
    size = sum(len(file.content or b"") for file in files)
    if size > FILES_INLINE_MAX_BYTES and not problems:
        text = f"The contents of the files of a problem have at most {FILES_INLINE_MAX_BYTES:,} bytes together."
        problems["files"] = FieldProblem("files", f"{text} Send larger files to /api/files, and name them by sha256.")
    return files, list(problems.values())


def _in_body(field: str, places: Sequence[int]) -> str:
    """Return the field of a file by its place in the body, of which `places` were checked."""
    return re.sub(r"^files\.(\d+)", lambda found: f"files.{places[int(found[1])]}", field)


def _of_language(file: PlacedFile, language: Language) -> ProblemFile:
    fields = {name: getattr(file, name) for name in PlacedFile.__struct_fields__}
    return ProblemFile(**fields, language=language)
