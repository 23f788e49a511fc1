"""Write the final state of a submission, from the completions queue or from a direct run."""

from dataclasses import dataclass
from typing import Literal

from aws_lambda_powertools.metrics import MetricUnit

from functions.aws.payloads import Payloads
from functions.clock import from_rfc3339
from functions.failpoint import reach
from functions.messages.wire import ExecutionCompleted, Stream
from functions.submissions.model import INLINE_OUTPUT_MAX_BYTES, Claim, Completion, Submission
from functions.submissions.store import SubmissionStore
from functions.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class CompletionWriter:
    """Writes completions to the table and the bucket, and counts them."""

    submissions: SubmissionStore
    payloads: Payloads
    metrics: Metrics

    def commit(
        self,
        submission_id: str,
        completion: Completion,
        *,
        is_batched: bool = False,
        known: Submission | None = None,
    ) -> Submission | None:
        """Write the final state once, with its fan-out due. None if the submission is final already, or gone.

        `is_batched`: `batched_fan_out` makes the fan-out. `known`: the row, if the caller wrote it.
        """
        reach("record.before_commit")
        committed = self.submissions.commit_final(submission_id, completion, is_batched=is_batched, known=known)
        reach("record.after_commit")
        if committed is not None:
            self._count(committed)
        return committed

    def commit_new(
        self, submission: Submission, completion: Completion, claim: Claim | None, *, is_batched: bool
    ) -> Submission:
        """Write a new row in its final state, with its claim. Raises ClaimTakenError, UnavailableError."""
        reach("record.before_commit")
        committed = self.submissions.create_final(submission, completion, claim, is_batched=is_batched)
        reach("record.after_commit")
        self._count(committed)
        return committed

    def completion(self, message: ExecutionCompleted) -> Completion:
        """Convert a message. Output that is too large for the row is stored in the bucket."""
        stdout, stdout_key = self._store_stream(message, "stdout", message.stdout, message.stderr)
        stderr, stderr_key = self._store_stream(message, "stderr", message.stderr, message.stdout)
        return Completion(
            completed_at=message.completed_at,
            result=message.result.model_dump(mode="json"),
            integrity=message.integrity.value,
            metrics=message.metrics.model_dump(mode="json") if message.metrics is not None else None,
            evidence=message.evidence.model_dump(mode="json") if message.evidence is not None else None,
            started_at=message.started_at,
            node_id=message.node_id,
            execution_id=message.execution_id,
            stdout=stdout,
            stdout_key=stdout_key,
            stdout_size_bytes=message.stdout.size_bytes if stdout is None else len(stdout),
            stderr=stderr,
            stderr_key=stderr_key,
            stderr_size_bytes=message.stderr.size_bytes if stderr is None else len(stderr),
        )

    def _store_stream(
        self, message: ExecutionCompleted, name: Literal["stdout", "stderr"], stream: Stream, other: Stream
    ) -> tuple[bytes | None, str | None]:
        """Return the bytes for the row, or an object key: inline output may be too large for a table item."""
        if stream.content is None:
            return None, stream.object_key
        together = len(stream.content) + len(other.content or b"")
        if together <= INLINE_OUTPUT_MAX_BYTES or len(stream.content) <= INLINE_OUTPUT_MAX_BYTES // 2:
            return stream.content, None
        return None, self.payloads.put_output(message.submission_id, message.execution_id, name, stream.content)

    def _count(self, row: Submission) -> None:
        self.metrics.add("ExecutionCompleted", verdict=row.verdict or "", language=row.language)
        if row.started_at is not None:
            waited_ms = from_rfc3339(row.started_at) - from_rfc3339(row.created_at)
            self.metrics.add("QueueDelay", max(0, waited_ms), MetricUnit.Milliseconds)
