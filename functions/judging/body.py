"""The body of POST /api/judge, field by field. `rules` checks several fields together, `requests` the whole."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from events.vocabulary import CheckerKind, Stop
from events.vocabulary import Protocol as CheckerProtocol
from functions.http.validation import Text
from functions.judging.model import Aggregate, Visibility
from functions.submissions.accept.file_fields import Arguments, Files
from functions.submissions.accept.requests import CODE_MAX_BYTES, ProgramRequest, RequestLimits

CASES_TOTAL_MAX_BYTES = 4 * 1024 * 1024
"""Inputs and expected outputs of all cases. A request must fit into a Lambda call, which has at most 6 MB."""
REQUEST_MAX_CASES = 200
"""With their contents in one request. A stored problem has up to MAX_CASES."""
MAX_FILES = 16
MAX_GROUPS = 50

Name = Annotated[str, Field(min_length=1, max_length=64)]
Points = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


class RequestPart(BaseModel):
    """A part of a body, without unknown fields."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class CheckerRequest(RequestPart):
    """How outputs are compared. `tokens` has options; `program` and `interactor` need language, code and protocol."""

    kind: CheckerKind = Field(strict=False)
    case_sensitive: bool | None = Field(default=None, description="Of tokens; true by default.")
    float_abs: Tolerance | None = Field(default=None, description="Of tokens: the largest absolute error of a number.")
    float_rel: Tolerance | None = Field(default=None, description="Of tokens: the largest relative error of a number.")
    language: Text | None = Field(default=None, description="Of the checker program.")
    code: Text | None = Field(
        default=None, repr=False, description="At most 65,536 bytes.", json_schema_extra={"maxLength": CODE_MAX_BYTES}
    )
    protocol: CheckerProtocol | None = Field(default=None, strict=False)
    args: Arguments | None = Field(default=None, description="More arguments of the checker program.")
    files: Annotated[dict[FileName, Text], Field(max_length=MAX_FILES)] | None = Field(
        default=None, repr=False, description="Files beside the source of the checker program, by name: testlib.h."
    )


class CaseRequest(RequestPart):
    """One test case."""

    id: Name | None = Field(default=None, description="Your name for it, unique in the request.")
    stdin: Text | None = Field(default=None, repr=False)
    expected: Text | None = Field(
        default=None, repr=False, description="The right output. Without it, a case passes if its verdict is AC."
    )
    group: Name | None = None
    points: Points | None = Field(default=None, description="1 by default.")
    args: Arguments | None = Field(default=None, description="Arguments of the program.")
    limits: RequestLimits | None = Field(default=None, description="In place of those of the request, one by one.")
    checker: CheckerRequest | None = None
    files: Files | None = Field(
        default=None, repr=False, description="Files of this case beside those of all cases. They are not compiled."
    )
    visibility: Visibility | None = Field(default=None, strict=False, description="full by default.")

    @property
    def has_answer(self) -> bool:
        """Whether it has an expected output."""
        return self.expected is not None


class GroupRequest(RequestPart):
    """One group of cases."""

    id: Name
    points: Points | None = Field(default=None, description="Those of its cases together by default.")
    aggregate: Aggregate | None = Field(default=None, strict=False, description="pass_fail by default.")
    requires: Annotated[list[Name], Field(max_length=MAX_GROUPS)] | None = Field(
        default=None, description="Groups that must pass, or this one counts nothing."
    )


class CasesRequest(Protocol):
    """The fields that judge runs and problems have in common."""

    @property
    def cases(self) -> Sequence[CaseRequest]:
        """The cases."""
        ...

    @property
    def checker(self) -> CheckerRequest | None:
        """The checker of all cases without their own."""
        ...

    @property
    def groups(self) -> Sequence[GroupRequest] | None:
        """The groups."""
        ...

    @property
    def stop(self) -> Stop | None:
        """Which cases are skipped after a failure."""
        ...


class JudgeBody(ProgramRequest):
    """Body of POST /api/judge: cases, or a problem that has them. null means the default of an optional field."""

    problem: Text | None = Field(
        default=None,
        description="A stored problem, as id or id@version. Without a version: the one that was pushed last. It has "
        "cases, checker, groups and stop, and the limits that the request leaves out.",
        examples=["hello", "hello@0123456789abcdef"],
    )
    cases: Annotated[list[CaseRequest], Field(max_length=REQUEST_MAX_CASES)] = Field(
        default=[],
        description=f"Inputs and expected outputs together have at most {CASES_TOTAL_MAX_BYTES:,} bytes.",
    )
    checker: CheckerRequest | None = Field(default=None, description="lines by default; a case may have its own.")
    groups: Annotated[list[GroupRequest], Field(max_length=MAX_GROUPS)] | None = None
    stop: Stop | None = Field(
        default=None, strict=False, description="Which cases are skipped after a failure: never (default), or others."
    )
