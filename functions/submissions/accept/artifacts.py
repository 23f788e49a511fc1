"""Which files of its program a request keeps: patterns of their paths, or all that have changed."""

from typing import Annotated, Literal

from pydantic import Field

from functions.errors import FieldProblem
from functions.http.validation import Text
from functions.messages.files import CHANGED, MAX_ARTIFACT_PATTERNS, MAX_PATH_BYTES, path_problem

ARTIFACTS = (
    "Files that the program leaves in its working directory, kept as long as its output: "
    "patterns of their paths, or changed for all files that it made or changed. In a pattern, * stands for any "
    "characters of a name, and ** for any folders. At most 100 files of 25 MiB, 100 MiB together."
)
_EXAMPLE = "Send patterns such as out/*.png, report.csv or **/*.json."

ArtifactsRequest = (
    Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=MAX_PATH_BYTES)]],
        Field(min_length=1, max_length=MAX_ARTIFACT_PATTERNS, examples=[["out/*.png", "report.csv"]]),
    ]
    | Literal["changed"]
)
"""The field of a request."""


def artifact_problems(asked: list[str] | str | None) -> list[FieldProblem]:
    """Return what is wrong with the field."""
    if asked is None or asked == CHANGED:
        return []
    found = ((f"artifacts[{index}]", _problem(pattern)) for index, pattern in enumerate(asked))
    return [FieldProblem(place, problem) for place, problem in found if problem is not None]


def chosen_artifacts(asked: list[str] | str | None) -> tuple[str, ...] | str | None:
    """Return the field in the form of a row, each pattern once."""
    return asked if asked is None or isinstance(asked, str) else tuple(dict.fromkeys(asked))


def _problem(pattern: str) -> str | None:
    if any(character in pattern for character in "?[]{}"):
        return f"A pattern has * and ** only; ?, [, ], {{ and }} are not supported. {_EXAMPLE}"
    if any("**" in part and part != "**" for part in pattern.split("/")):
        return f"** stands alone between slashes. {_EXAMPLE}"
    problem = path_problem(pattern)
    return None if problem is None else f"{problem} {_EXAMPLE}"
