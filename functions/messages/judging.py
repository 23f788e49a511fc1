"""Messages of judge runs: one program, many cases. `events/judge_*` has their schemas and golden messages.

`submission_id` is the id of the judge run. Three parts may be too large for a message. They are then objects of the
bucket: `Judging` (`judging_key`), `CaseResults` (`cases_key`), and the whole output of a case (`object_key`).
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from functions.errors import MessageInvalidError
from functions.messages.base import (
    Base64,
    EndOfExecution,
    ForExecution,
    FromExecution,
    RequestedLimits,
    Result,
    Time,
    is_none,
    problem_places,
)
from functions.messages.evidence import Count, Measure, Shape
from functions.messages.languages import Language
from functions.messages.verdict import Integrity

MAX_CASES = 200

Name = Annotated[str, Field(min_length=1, max_length=64)]
Index = Annotated[int, Field(ge=0, lt=MAX_CASES)]
Arguments = Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=64)]
MessageText = Annotated[str, Field(max_length=4096)]


class CheckerKind(StrEnum):
    """How an output is compared with the expected one."""

    LINES = "lines"
    EXACT = "exact"
    TOKENS = "tokens"
    PROGRAM = "program"
    INTERACTOR = "interactor"


class Protocol(StrEnum):
    """How a checker program says what it found."""

    TESTLIB = "testlib"
    KATTIS = "kattis"


class Stop(StrEnum):
    """Which cases are skipped after a case that failed."""

    NEVER = "never"
    FIRST_FAILURE = "first_failure"
    GROUP = "group"


class Outcome(StrEnum):
    """Whether the answer of a case is right."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    PRESENTATION_ERROR = "presentation_error"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"
    JUDGE_ERROR = "judge_error"


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


class Case(Shape):
    """One case. `checker`: the place of its checker in `Judging.checkers`. `limits`: in place of those of the run."""

    stdin: Annotated[Base64, Field(alias="stdin_base64", repr=False)]
    args: Arguments
    limits: RequestedLimits
    checker: Count
    expected: Base64 | None = Field(default=None, alias="expected_base64", repr=False, exclude_if=is_none)
    group: Name | None = Field(default=None, exclude_if=is_none)


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
        """Return the text of the object under `judging_key`."""
        return self.model_dump_json(by_alias=True)


class JudgeRequested(ForExecution):
    """Request one execution of a judge run. Either `judging` or `judging_key` is null."""

    type: Literal["judge_requested"] = "judge_requested"
    judging: Judging | None
    judging_key: Annotated[str, Field(pattern=r"^judge-inputs/[0-9A-Za-z/_-]{1,200}$")] | None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.judging is None) == (self.judging_key is None):
            raise ValueError("needs either judging or judging_key")
        return self


class CaseStream(Shape):
    """The first bytes of an output stream, and the key of the object with all of it if that was kept."""

    size_bytes: Count
    head: Annotated[Base64, Field(alias="base64", repr=False)]
    object_key: str | None = Field(default=None, exclude_if=is_none)


class CaseRun(Shape):
    """The run of the program on one case."""

    result: Result
    integrity: Integrity
    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count
    stdout: CaseStream
    stderr: CaseStream


class CaseResult(Shape):
    """The result of one case. `run` is null when the program did not run on it.

    `team_message`: of the checker for the contestant.
    """

    index: Index
    outcome: Outcome
    checker_message: MessageText | None
    checker_points: Measure | None
    run: CaseRun | None
    team_message: MessageText | None = Field(default=None, exclude_if=is_none)


class CaseResults(Shape):
    """The object under `cases_key`. `JudgeCompleted.read_cases` reads it."""

    cases: Annotated[tuple[CaseResult, ...], Field(max_length=MAX_CASES)]


class Compilation(Shape):
    """The compile step of the program."""

    result: Result
    stderr: CaseStream
    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count
    cached: bool


class JudgeProgress(FromExecution):
    """Cases that ended since the last progress message, without their outputs. It may be late or lost."""

    type: Literal["judge_progress"] = "judge_progress"
    sent_at: Time
    cases: Annotated[tuple[CaseResult, ...], Field(max_length=MAX_CASES)]


class JudgeCompleted(EndOfExecution):
    """The whole outcome of one execution of a judge run.

    `failure`: the platform's, then nothing else is known; else null. `cases` is null if `cases_key` is not.
    """

    type: Literal["judge_completed"] = "judge_completed"
    failure: Result | None
    compile: Compilation | None
    cases: Annotated[tuple[CaseResult, ...], Field(max_length=MAX_CASES)] | None
    cases_key: str | None

    @model_validator(mode="after")
    def _own_objects_only(self) -> Self:
        if (self.cases is None) == (self.cases_key is None):
            raise ValueError("needs either cases or cases_key")
        if self.cases_key not in (None, f"{self._prefix}cases") or not all(
            map(self._has_own_objects, self.cases or ())
        ):
            raise ValueError("an object key is not this execution's")
        return self

    def read_cases(self, text: str | bytes) -> tuple[CaseResult, ...]:
        """Parse the object under `cases_key`. Raises MessageInvalidError."""
        try:
            cases = CaseResults.model_validate_json(text).cases
        except ValidationError as error:
            raise MessageInvalidError(problem_places(error)) from None
        if not all(map(self._has_own_objects, cases)):
            raise MessageInvalidError("an object key is not this execution's")
        return cases

    @property
    def _prefix(self) -> str:
        return f"outputs/{self.submission_id}/{self.execution_id}/"

    def _has_own_objects(self, case: CaseResult) -> bool:
        key = f"{self._prefix}case-{case.index}-stdout"
        return case.run is None or (case.run.stdout.object_key in (None, key) and case.run.stderr.object_key is None)
