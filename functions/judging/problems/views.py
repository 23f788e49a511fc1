"""What a client sees of problems: no part of a case. Each `TypedDict` is a schema of the OpenAPI document."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from events.files import read_files
from functions.http.openapi.bodies import Count, Measure, Time
from functions.judging.model import Plan
from functions.judging.problems.model import Problem, ProblemVersion

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
