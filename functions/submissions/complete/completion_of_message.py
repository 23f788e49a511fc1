"""Final states of submissions, from the messages of runners and from failures of the platform."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Literal

from events.vocabulary import Actor, Cause, Integrity, Phase, Verdict
from functions.clock import to_rfc3339
from functions.errors import MessageInvalidError
from functions.messages.judged import JudgeCompleted
from functions.submissions.model import INLINE_OUTPUT_MAX_BYTES, Completion, Kind, Status

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.messages.wire import Completed, ExecutionCompleted
    from functions.submissions.complete.judge_runs import JudgeRuns
    from functions.submissions.model import Submission

NOT_BEGUN = "the run was cancelled before it began"
WARNINGS_MAX_BYTES = 16_384
"""Of a compiler. A runner sends no more; an attacked one might."""


def completion_of(judge_runs: JudgeRuns, payloads: Payloads, message: Completed, row: Submission) -> Completion:
    """Convert a runner's message. Output that is too large for the row is stored in the bucket.

    Raises MessageInvalidError if the result of a judge run does not fit its row.
    """
    if isinstance(message, JudgeCompleted) != (row.kind is Kind.JUDGE):
        raise MessageInvalidError("the result is of another kind than the submission")
    if isinstance(message, JudgeCompleted):
        return judge_runs.completion(message, row)
    stdout, stdout_key = _store_stream(payloads, message, "stdout")
    stderr, stderr_key = _store_stream(payloads, message, "stderr")
    return Completion(
        **message.common_values(),
        result=message.result.model_dump(mode="json"),
        integrity=message.integrity.value,
        compilation=_compilation(message.compile_stderr),
        artifacts=None if row.artifact_patterns is None else _artifacts(message),
        stdout=stdout,
        stdout_key=stdout_key,
        stdout_size_bytes=message.stdout.size_bytes if stdout is None else len(stdout),
        stderr=stderr,
        stderr_key=stderr_key,
        stderr_size_bytes=message.stderr.size_bytes if stderr is None else len(stderr),
    )


def platform_failure(cause: Cause, error_message: str, at_ms: int) -> Completion:
    """Return the final state of a submission that the platform could not run."""
    return _without_run(Verdict.IE, cause, error_message, at_ms)


def cancelled(row: Submission, at_ms: int) -> Completion:
    """Return the final state of a cancelled submission whose runner, if it has one, has not sent its end."""
    if row.status is Status.PENDING:
        return _without_run(Verdict.IE, Cause.CANCELLED_BEFORE_START, NOT_BEGUN, at_ms)
    return _without_run(Verdict.SIG, Cause.CANCELLED, "the run was cancelled", at_ms, int(signal.SIGKILL))


def _without_run(
    verdict: Verdict, cause: Cause, error_message: str, at_ms: int, signal_number: int | None = None
) -> Completion:
    return Completion(
        completed_at=to_rfc3339(at_ms),
        result={
            "verdict": verdict.value,
            "cause": cause.value,
            "actor": Actor.JUDGE.value,
            "phase": Phase.RUN.value,
            "exit_code": None,
            "signal": signal_number,
            "error_message": error_message,
        },
        integrity=Integrity.WRITE_ERROR.value,
        stdout=b"",
        stderr=b"",
    )


def _store_stream(
    payloads: Payloads, message: ExecutionCompleted, name: Literal["stdout", "stderr"]
) -> tuple[bytes | None, str | None]:
    """Return the bytes for the row, or an object key: inline output may be too large for a table item."""
    stream, other = (message.stdout, message.stderr) if name == "stdout" else (message.stderr, message.stdout)
    if stream.content is None:
        return None, stream.object_key
    together = len(stream.content) + len(other.content or b"")
    if together <= INLINE_OUTPUT_MAX_BYTES or len(stream.content) <= INLINE_OUTPUT_MAX_BYTES // 2:
        return stream.content, None
    return None, payloads.put_output(message.submission_id, message.execution_id, name, stream.content)


def _artifacts(message: ExecutionCompleted) -> dict[str, Any]:
    """Return the artifacts in the form of the row."""
    return {
        "stored": [file.model_dump() for file in message.artifacts or ()],
        "skipped": [file.model_dump() for file in message.artifacts_skipped or ()],
    }


def _compilation(stderr: bytes | None) -> dict[str, str] | None:
    """Return the compiler's warnings in the form of the row."""
    return None if stderr is None else {"stderr": stderr[:WARNINGS_MAX_BYTES].decode(errors="replace")}
