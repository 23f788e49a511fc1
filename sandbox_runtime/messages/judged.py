"""`judge_progress` and `judge_completed`: the results of a judge run's cases."""

from dataclasses import dataclass
from typing import Annotated

from events.vocabulary import Outcome
from sandbox_runtime.messages.codec import Check, MessageInvalidError, key
from sandbox_runtime.messages.completed import IntegrityName, Metrics, Result
from sandbox_runtime.messages.evidence import ExecutionEvidence
from sandbox_runtime.messages.files import MAX_CASES
from sandbox_runtime.messages.rules import (
    Amount,
    CaseOutputKey,
    CasesKey,
    CorrelationId,
    Count,
    LanguageName,
    NodeId,
    Timestamp,
    Uuid,
    length,
    one_of,
)

MAX_CHECKER_MESSAGE_CHARACTERS = 4096

MessageText = Annotated[str, length(0, MAX_CHECKER_MESSAGE_CHARACTERS)]
Share = Annotated[float, Check(lambda value: 0 <= value <= 1, "from 0 to 1")]


@dataclass(frozen=True, slots=True)
class CaseStream:
    """The first bytes of an output stream. `object_key`: the object that has all of it."""

    size_bytes: Count
    head: bytes = key("base64", shown=False)
    object_key: CaseOutputKey | None = None

    def __post_init__(self) -> None:
        if self.size_bytes < len(self.head):
            raise MessageInvalidError("size_bytes", "must be at least the length of the head")


@dataclass(frozen=True, slots=True)
class CaseRun:
    """The run of the program on one case."""

    result: Result
    integrity: IntegrityName
    cpu_time_secs: Amount
    wall_time_secs: Amount
    memory_peak_bytes: Count
    stdout: CaseStream
    stderr: CaseStream


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case. `run`: None when the program did not run on it.

    `team_message`: of the checker for the contestant. `checker_share`: of the points of a case that passed.
    """

    index: Annotated[int, Check(range(MAX_CASES).__contains__, "a place in the cases")]
    outcome: Annotated[
        str,
        one_of(*Outcome),
    ]
    checker_message: MessageText | None
    checker_points: Amount | None
    run: CaseRun | None
    team_message: MessageText | None = None
    checker_share: Share | None = None


@dataclass(frozen=True, slots=True)
class CaseResults:
    """The object under `cases_key`."""

    cases: Annotated[tuple[CaseResult, ...], length(0, MAX_CASES)]


@dataclass(frozen=True, slots=True)
class Compilation:
    """The compile step of the program."""

    result: Result
    stderr: CaseStream
    cpu_time_secs: Amount
    wall_time_secs: Amount
    memory_peak_bytes: Count
    cached: bool


@dataclass(frozen=True, slots=True)
class JudgeProgress:
    """Cases that ended since the last progress message, without their outputs."""

    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    started_at: Timestamp
    sent_at: Timestamp
    cases: Annotated[tuple[CaseResult, ...], length(0, MAX_CASES)]
    correlation_id: CorrelationId | None = None


@dataclass(frozen=True, slots=True)
class JudgeCompleted:
    """The whole outcome of a judge run. `failure`: the platform's; nothing else is known then.

    `cases_key`: the object that holds `cases` if they are too large for a message.
    """

    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    language: LanguageName
    started_at: Timestamp
    completed_at: Timestamp
    failure: Result | None
    compile: Compilation | None
    cases: Annotated[tuple[CaseResult, ...], length(0, MAX_CASES)] | None
    cases_key: CasesKey | None
    metrics: Metrics | None
    evidence: ExecutionEvidence | None
    correlation_id: CorrelationId | None = None

    def __post_init__(self) -> None:
        if (self.cases is None) == (self.cases_key is None):
            raise MessageInvalidError("cases", "must be given, or cases_key")
