"""`execution_completed`: the classified result of one execution, its output and its numbers."""

from dataclasses import dataclass
from typing import Annotated, Self

from events.vocabulary import Integrity, Phase, Verdict
from sandbox_runtime.messages.artifacts import ArtifactList, SkippedList
from sandbox_runtime.messages.codec import Check, MessageInvalidError, key
from sandbox_runtime.messages.evidence import ACTOR, CAUSE, DIVERGENCE, ExecutionEvidence
from sandbox_runtime.messages.rules import (
    Amount,
    CorrelationId,
    Count,
    LanguageName,
    NodeId,
    OutputKey,
    Timestamp,
    Uuid,
    one_of,
)

LAST_SIGNAL = 64

IntegrityName = Annotated[str, one_of(*Integrity)]


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict with its cause."""

    verdict: Annotated[str, one_of(*Verdict)]
    cause: Annotated[str, CAUSE]
    actor: Annotated[str, ACTOR]
    phase: Annotated[str, one_of(*Phase)]
    exit_code: int | None
    signal: Annotated[int, Check(lambda number: 1 <= number <= LAST_SIGNAL, "a signal number")] | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class InlineOutput:
    """An output stream in the message."""

    size_bytes: Count
    content: bytes = key("base64", shown=False)

    def __post_init__(self) -> None:
        if self.size_bytes != len(self.content):
            raise MessageInvalidError("size_bytes", "must be the length of the content")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Wrap a whole stream."""
        return cls(size_bytes=len(content), content=content)


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """An output stream in the bucket, because it is too large for a message."""

    size_bytes: Count
    object_key: OutputKey


@dataclass(frozen=True, slots=True)
class Metrics:
    """Times and memory of one execution. `*_ms`: None for a phase that did not happen.

    `compile_cached`: None without a compile step; True: the program was in the cache, and `compile_ms` is the time of
    the look-up.
    """

    cpu_time_secs: Amount
    wall_time_secs: Amount
    memory_peak_bytes: Count
    cpu_wall_ratio: Amount
    divergence: Annotated[str, DIVERGENCE]
    queue_ms: Amount | None
    setup_ms: Amount | None
    compile_ms: Amount | None
    run_ms: Amount | None
    compile_cached: bool | None


@dataclass(frozen=True, slots=True)
class ExecutionCompleted:
    """One finished execution. `metrics` and `evidence` are None when nothing was measured.

    `compile_stderr`: the compiler's messages about a program that compiled; None without any.
    `artifacts`: the stored files of the program; None if the request asked for none. `artifacts_skipped`: others that
    it asked for.
    """

    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    language: LanguageName
    started_at: Timestamp
    completed_at: Timestamp
    result: Result
    stdout: InlineOutput | StoredOutput
    stderr: InlineOutput | StoredOutput
    integrity: IntegrityName
    metrics: Metrics | None
    evidence: ExecutionEvidence | None
    correlation_id: CorrelationId | None = None
    compile_stderr: bytes | None = key("compile_stderr_base64", shown=False, default=None)
    artifacts: ArtifactList | None = None
    artifacts_skipped: SkippedList | None = None
