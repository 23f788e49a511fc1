"""Results of judge runs. `events/judge_progress` and `events/judge_completed` have the schemas and golden messages.

Two parts may be too large for a message. They are then objects of the bucket: `CaseResults` (`cases_key`), and the
whole output of a case (`object_key`).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from events.vocabulary import Integrity, Outcome
from functions.errors import MessageInvalidError
from functions.messages.base import Base64, EndOfExecution, FromExecution, Result, Time, is_none, problem_places
from functions.messages.evidence import Count, Measure, Shape
from functions.messages.files import MAX_CASES

Index = Annotated[int, Field(ge=0, lt=MAX_CASES)]
MessageText = Annotated[str, Field(max_length=4096)]


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

    `team_message`: of the checker for the contestant. `checker_share`: of the points of a case that passed.
    """

    index: Index
    outcome: Outcome
    checker_message: MessageText | None
    checker_points: Measure | None
    run: CaseRun | None
    team_message: MessageText | None = Field(default=None, exclude_if=is_none)
    checker_share: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, exclude_if=is_none)


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
