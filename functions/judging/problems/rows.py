"""Rows of problems, in the submissions table.

PROBLEMS#<project>      PROBLEM#<id>                a problem, with the numbers of the version that was pushed last
PROBLEMS#<project>      VERSION#<id>@<version>      a version; a deleted one stays until no run needs its files
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.aws.dynamodb.items import key
from functions.aws.dynamodb.row_codec import read, write
from functions.judging.problems.model import Problem, ProblemVersion

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Key

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
