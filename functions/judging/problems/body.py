"""The body of POST /api/problems, field by field. `requests` checks several fields together."""

from typing import Annotated

from pydantic import Field

from events.files import MAX_CASES
from events.requested import MAX_CASE_BYTES
from events.vocabulary import Stop
from functions.files.model import Sha256
from functions.http.validation import Text
from functions.judging.body import (
    CASES_TOTAL_MAX_BYTES,
    MAX_GROUPS,
    CaseRequest,
    CheckerRequest,
    GroupRequest,
    RequestPart,
)
from functions.judging.problems.model import ID_PATTERN
from functions.submissions.accept.file_fields import Files
from functions.submissions.accept.requests import RequestLimits

_OF_FILE = f"of a file of the project (POST /api/files) with at most {MAX_CASE_BYTES:,} bytes."


class ProblemCase(CaseRequest):
    """One test case. Its input and its expected output are texts, or files of the project."""

    stdin_sha256: Sha256 | None = Field(default=None, description=f"In place of stdin: the hash {_OF_FILE}")
    expected_sha256: Sha256 | None = Field(default=None, description=f"In place of expected: the hash {_OF_FILE}")

    @property
    def has_answer(self) -> bool:
        """Whether it has an expected output."""
        return self.expected is not None or self.expected_sha256 is not None


class ProblemBody(RequestPart):
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
    files: Files | None = Field(
        default=None, repr=False, description="Files for the program, in its working directory, in all cases."
    )
