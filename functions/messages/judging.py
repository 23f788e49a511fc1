"""Requests of judge runs: one program, many cases. `events/judge_requested` has the schema and golden messages.

`submission_id` is the id of the judge run. A `Judging` that is too large for a message is an object of the bucket
(`judging_key`). That of a stored problem is an object that all its judge runs share (`judging_object`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from events.vocabulary import CheckerKind, Language, Protocol, Stop
from functions.messages.base import Base64, ForExecution, RequestedLimits, is_none
from functions.messages.evidence import Count, Measure, Shape
from functions.messages.files import MAX_CASES, CaseFileList, CompileArgs, StoredFile, needs_files_version

MAX_CASE_BYTES = 67_108_864
"""Of one input or expected output that is an object of the bucket."""
_PROBLEM_VERSION = 3
_FORMS = 3
"""Of the cases in a message."""

Name = Annotated[str, Field(min_length=1, max_length=64)]
Arguments = Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=64)]


class CheckerFile(Shape):
    """A file beside the source of a checker program."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
    content: Annotated[Base64, Field(alias="content_base64", repr=False)]


class CheckerProgram(Shape):
    """A checker or an interactor. `files` are beside its source when it is compiled, and when it runs."""

    language: Language
    protocol: Protocol
    args: Arguments
    files: Annotated[tuple[CheckerFile, ...], Field(max_length=16)]
    code: Annotated[Base64, Field(alias="code_base64", repr=False)]


class Checker(Shape):
    """One checker. The options belong to `tokens`, `program` to `program` and `interactor`."""

    kind: CheckerKind
    case_sensitive: bool | None = Field(default=None, exclude_if=is_none)
    float_abs: Measure | None = Field(default=None, exclude_if=is_none)
    float_rel: Measure | None = Field(default=None, exclude_if=is_none)
    program: CheckerProgram | None = Field(default=None, exclude_if=is_none)


def _checked_size(file: StoredFile) -> StoredFile:
    if file.size > MAX_CASE_BYTES:
        raise ValueError("too large for a case")
    return file


CaseObject = Annotated[StoredFile, AfterValidator(_checked_size)]


class Case(Shape):
    """One case. `checker`: the place of its checker in `Judging.checkers`. `limits`: in place of those of the run.

    Its input has one of the two forms, and its expected output, if it has one.
    """

    stdin: Base64 | None = Field(default=None, alias="stdin_base64", repr=False, exclude_if=is_none)
    args: Arguments
    limits: RequestedLimits
    checker: Count
    expected: Base64 | None = Field(default=None, alias="expected_base64", repr=False, exclude_if=is_none)
    group: Name | None = Field(default=None, exclude_if=is_none)
    stdin_object: CaseObject | None = Field(default=None, exclude_if=is_none)
    expected_object: CaseObject | None = Field(default=None, exclude_if=is_none)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.stdin is None) == (self.stdin_object is None):
            raise ValueError("needs either stdin_base64 or stdin_object")
        if self.expected is not None and self.expected_object is not None:
            raise ValueError("has expected_base64 and expected_object")
        return self


class Group(Shape):
    """A group, and the groups that must pass before it counts."""

    id: Name
    requires: Annotated[tuple[Name, ...], Field(max_length=50)]


class Judging(Shape):
    """The data that a runner needs to judge."""

    checkers: Annotated[tuple[Checker, ...], Field(min_length=1, max_length=MAX_CASES + 1)]
    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=MAX_CASES)]
    groups: Annotated[tuple[Group, ...], Field(max_length=50)]
    stop: Stop

    def serialise(self) -> str:
        """Return the text of an object of the bucket."""
        return self.model_dump_json(by_alias=True)


class JudgeRequested(ForExecution):
    """Request one execution of a judge run. Two of `judging`, `judging_key` and `judging_object` are null or absent."""

    type: Literal["judge_requested"] = "judge_requested"
    judging: Judging | None
    judging_key: Annotated[str, Field(pattern=r"^judge-inputs/[0-9A-Za-z/_-]{1,200}$")] | None
    files: CaseFileList | None = Field(default=None, exclude_if=is_none)
    compile_args: CompileArgs | None = Field(default=None, exclude_if=is_none)
    judging_object: StoredFile | None = Field(default=None, exclude_if=is_none)

    @classmethod
    def version_for(cls, fields: Mapping[str, Any]) -> int:
        """A runner that does not know a field must refuse the run.

        3 with the cases of a stored problem, 2 with files, compiler options or limits of files.
        """
        if fields.get("judging_object") is not None:
            return _PROBLEM_VERSION
        return 2 if needs_files_version(fields) else 1

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if [self.judging, self.judging_key, self.judging_object].count(None) != _FORMS - 1:
            raise ValueError("needs one of judging, judging_key and judging_object")
        return self
