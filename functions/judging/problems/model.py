"""A problem of a project and its versions, and what a client sees of them: no part of a case."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import Field

from events.files import read_files
from functions.aws.dynamodb.row_codec import IN_KEY, JSON, OMIT_DEFAULT
from functions.http.openapi.bodies import Count, Measure, Time
from functions.judging.model import Plan

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
VERSION_CHARS = 16
HOLDER = "problem "
"""Start of the name by which a version holds its files."""

_REFERENCE = re.compile(rf"([A-Za-z0-9][A-Za-z0-9._-]{{0,63}})(?:@([0-9a-f]{{{VERSION_CHARS}}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """A problem as a client names it. `version` None: the one that was pushed last."""

    problem_id: str
    version: str | None


def read_reference(text: str) -> Reference | None:
    """Read `id` or `id@version`; None for any other text."""
    found = _REFERENCE.fullmatch(text)
    return None if found is None else Reference(found.group(1), found.group(2))


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem. `version`, `cases` and `size_bytes`: of the version that was pushed last, at `pushed_at`."""

    project_id: Annotated[str, IN_KEY]
    problem_id: Annotated[str, IN_KEY]
    version: str
    cases: int
    size_bytes: int
    created_at: str
    pushed_at: str
    versions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProblemVersion:
    """One version, which never changes. `version`: of the hash of its content.

    `plan`: see `functions.judging.model.Plan`. `limits` hold for all cases, `case_limits` for those of an index (as
    text). `files`: those of the program, as a message has them. `checker_languages`: of its checker programs.
    `warnings`: for its push and for judge runs of it.
    `object_key`, `object_size`, `object_sha256`: the object that runners read.

    `used_at_ms`: when a run used it, to an hour. `removable_at_ms`: it is deleted, and no accepted run needs its files
    from then on.
    """

    project_id: Annotated[str, IN_KEY]
    problem_id: Annotated[str, IN_KEY]
    version: Annotated[str, IN_KEY]
    cases: int
    size_bytes: int
    created_at: str
    object_key: str
    object_size: int
    object_sha256: str
    plan: Annotated[Mapping[str, Any], JSON] = field(default_factory=dict)
    limits: Annotated[Mapping[str, int | float], JSON] = field(default_factory=dict)
    case_limits: Annotated[Mapping[str, Mapping[str, int | float]], JSON] = field(default_factory=dict)
    files: bytes | None = field(default=None, repr=False)
    checker_languages: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    warnings: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    used_at_ms: int | None = None
    removable_at_ms: int | None = None

    @property
    def name(self) -> str:
        """`id@version`."""
        return f"{self.problem_id}@{self.version}"

    @property
    def holder(self) -> str:
        """The name by which it holds its files."""
        return f"{HOLDER}{self.name}"


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
    versions: Annotated[list[VersionHash], Field(description="All that are stored.")]


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
    return {
        **summary_body(problem),
        "version": version.version,
        "cases": version.cases,
        "size_bytes": version.size_bytes,
        "groups": [{"id": group.id, "cases": members.count(group.id), "points": group.points} for group in plan.groups],
        "limits": dict(version.limits),
        "files": [file.path for file in read_files(version.files)],
        "versions": sorted(problem.versions),
    }
