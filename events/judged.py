"""Results of judge runs: `judge_progress` and `judge_completed`.

Two parts may be too large for a message. They are then objects of the bucket: `CaseResults` (`cases_key`), and the
whole output of a case (`object_key`).
"""

from typing import Annotated

from msgspec import Meta

from events import MessageInvalidError
from events.completed import EndOfExecution, ExecutionCompleted, FromExecution, ObjectKey, Result
from events.files import MAX_CASES
from events.message import Count, Measure, Shape, Time, read
from events.vocabulary import Integrity, Outcome

MAX_CHECKER_MESSAGE_CHARACTERS = 4096
MAX_CASES_BYTES = 268_435_456
"""Of the object under `cases_key`: its cases have 64 KiB of each stream."""

Index = Annotated[int, Meta(ge=0, lt=MAX_CASES)]
MessageText = Annotated[str, Meta(max_length=MAX_CHECKER_MESSAGE_CHARACTERS)]


class CaseStream(Shape, frozen=True, rename={"head": "base64"}):
    """The first bytes of an output stream, and the key of the object with all of it if that was kept."""

    size_bytes: Count
    head: bytes
    object_key: ObjectKey | None = None

    def __post_init__(self) -> None:
        if self.size_bytes < len(self.head):
            raise MessageInvalidError("size_bytes", "must be at least the length of the head")


class CaseRun(Shape, frozen=True):
    """The run of the program on one case."""

    result: Result
    integrity: Integrity
    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count
    stdout: CaseStream
    stderr: CaseStream


class CaseResult(Shape, frozen=True):
    """The result of one case. `run` is null when the program did not run on it.

    `team_message`: of the checker for the contestant. `checker_share`: of the points of a case that passed.
    """

    index: Index
    outcome: Outcome
    checker_message: MessageText | None
    checker_points: Measure | None
    run: CaseRun | None
    team_message: MessageText | None = None
    checker_share: Annotated[float, Meta(ge=0, le=1)] | None = None


class CaseResults(Shape, frozen=True):
    """The object under `cases_key`. `JudgeCompleted.read_cases` reads it."""

    cases: Annotated[tuple[CaseResult, ...], Meta(max_length=MAX_CASES)]


class Compilation(Shape, frozen=True):
    """The compile step of the program."""

    result: Result
    stderr: CaseStream
    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count
    cached: bool


CaseList = Annotated[tuple[CaseResult, ...], Meta(max_length=MAX_CASES)]
OUT_OF_TIME = "the cases of this judge run took more than"
"""Start of the message of cases that were not judged. An older runner has it too, and skips them."""
CHECKS_OUT_OF_TIME = "the checkers of this judge run took more than"
"""Start of the message of cases that were not checked."""
SIGN_OF_LIFE_SECS = 60
"""A runner sends progress of each judge run under way at least this often, also if no case has ended."""


class JudgeProgress(FromExecution, frozen=True, kw_only=True, tag="judge_progress"):
    """Cases that ended since the last progress message, without their outputs. It may be late or lost.

    Without cases it says that the judge run is still under way.
    """

    TIMES = ("started_at", "sent_at")

    sent_at: Time
    cases: CaseList


class JudgeCompleted(EndOfExecution, frozen=True, kw_only=True, tag="judge_completed"):
    """The whole outcome of one execution of a judge run.

    `failure`: the platform's, then nothing else is known; else null. `cases` is null if `cases_key` is not.
    `slot_secs`: for how long it used its slots, with compilation and checkers.
    """

    failure: Result | None
    compile: Compilation | None
    cases: CaseList | None
    cases_key: ObjectKey | None
    slot_secs: Measure | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.cases is None) == (self.cases_key is None):
            raise MessageInvalidError("cases", "must be given, or cases_key")
        self.check_own("cases_key", self.cases_key, "cases")
        self._check_own_outputs(self.cases or ())

    def read_cases(self, text: str | bytes) -> tuple[CaseResult, ...]:
        """Parse the object under `cases_key`. Raises MessageInvalidError."""
        cases = read(text, CaseResults, MAX_CASES_BYTES).cases
        self._check_own_outputs(cases)
        return cases

    def _check_own_outputs(self, cases: tuple[CaseResult, ...]) -> None:
        for case in cases:
            if case.run is not None:
                self.check_own("cases", case.run.stdout.object_key, f"case-{case.index}-stdout")
                if case.run.stderr.object_key is not None:
                    raise MessageInvalidError("cases", "must have no object of stderr")


type Completed = ExecutionCompleted | JudgeCompleted
"""The outcome of one execution."""
