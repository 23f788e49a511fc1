"""Messages between the service and its runners. Their schemas and golden files are in `events/`."""

from sandbox_runtime.messages.artifacts import SkippedArtifact, StoredArtifact
from sandbox_runtime.messages.codec import MAX_MESSAGE_BYTES, MessageInvalidError
from sandbox_runtime.messages.codec import write as as_fields
from sandbox_runtime.messages.completed import ExecutionCompleted, InlineOutput, Metrics, Result, StoredOutput
from sandbox_runtime.messages.envelope import (
    Addressee,
    Completed,
    JudgeAddressee,
    Request,
    addressee,
    parse,
    parse_request,
    serialise,
)
from sandbox_runtime.messages.evidence import (
    CgroupEvidence,
    ExecutionEvidence,
    Isolation,
    LimitEvidence,
    ProcessLifecycle,
    Teardown,
    TimingEvidence,
)
from sandbox_runtime.messages.files import CHANGED, PlacedFile, StoredFile, files_of
from sandbox_runtime.messages.judged import (
    MAX_CHECKER_MESSAGE_CHARACTERS,
    CaseResult,
    CaseResults,
    CaseRun,
    CaseStream,
    Compilation,
    JudgeCompleted,
    JudgeProgress,
)
from sandbox_runtime.messages.judging import (
    MAX_JUDGING_BYTES,
    Case,
    Checker,
    CheckerFile,
    CheckerProgram,
    Group,
    JudgeRequested,
    Judging,
    read_judging,
)
from sandbox_runtime.messages.network import AllowedHost, ConnectionEvidence, Network, RefusedTarget
from sandbox_runtime.messages.requested import MAX_CODE_BYTES, MAX_STDIN_BYTES, ExecutionRequested, LimitOverrides
from sandbox_runtime.messages.rules import format_time, is_correlation_id, parse_time
from sandbox_runtime.messages.started import MAX_PROBLEM_CHARS, ExecutionStarted, RunnerHeartbeat

__all__ = [
    "CHANGED",
    "MAX_CHECKER_MESSAGE_CHARACTERS",
    "MAX_CODE_BYTES",
    "MAX_JUDGING_BYTES",
    "MAX_MESSAGE_BYTES",
    "MAX_PROBLEM_CHARS",
    "MAX_STDIN_BYTES",
    "Addressee",
    "AllowedHost",
    "Case",
    "CaseResult",
    "CaseResults",
    "CaseRun",
    "CaseStream",
    "CgroupEvidence",
    "Checker",
    "CheckerFile",
    "CheckerProgram",
    "Compilation",
    "Completed",
    "ConnectionEvidence",
    "ExecutionCompleted",
    "ExecutionEvidence",
    "ExecutionRequested",
    "ExecutionStarted",
    "Group",
    "InlineOutput",
    "Isolation",
    "JudgeAddressee",
    "JudgeCompleted",
    "JudgeProgress",
    "JudgeRequested",
    "Judging",
    "LimitEvidence",
    "LimitOverrides",
    "MessageInvalidError",
    "Metrics",
    "Network",
    "PlacedFile",
    "ProcessLifecycle",
    "RefusedTarget",
    "Request",
    "Result",
    "RunnerHeartbeat",
    "SkippedArtifact",
    "StoredArtifact",
    "StoredFile",
    "StoredOutput",
    "Teardown",
    "TimingEvidence",
    "addressee",
    "as_fields",
    "files_of",
    "format_time",
    "is_correlation_id",
    "parse",
    "parse_request",
    "parse_time",
    "read_judging",
    "serialise",
]
