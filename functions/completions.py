"""What a message of the completions queue does to a submission: start, final commit (step 1), fan-out.

`record`, the dead-letter branch of `sweep` and the direct path of `submit` all end a submission here, and only here.
"""

from dataclasses import dataclass
from typing import Literal

from aws_lambda_powertools.metrics import MetricUnit

from functions.core.clock import Clock, from_rfc3339, now_ms, to_rfc3339
from functions.core.failpoint import reach
from functions.core.messages import CompletionsMessage, ExecutionCompleted, ExecutionStarted, RunnerHeartbeat, Stream
from functions.core.submission import INLINE_OUTPUT_MAX_BYTES, Completion, Fanout, Submission
from functions.core.verdict import Actor, Cause, Integrity, Phase, Verdict
from functions.fanout import FanOut
from functions.payloads import Payloads
from functions.store.runners import RunnerStore
from functions.store.submissions import SubmissionStore
from functions.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Completions:
    """Parts that ending a submission needs."""

    submissions: SubmissionStore
    runners: RunnerStore
    payloads: Payloads
    fanout: FanOut
    metrics: Metrics
    clock: Clock = now_ms

    def apply(self, message: CompletionsMessage) -> None:
        """Do what the message says; repeats, late ones and those of deleted submissions change nothing."""
        if isinstance(message, RunnerHeartbeat):
            self.runners.put_heartbeat(message)
        elif isinstance(message, ExecutionStarted):
            self.submissions.mark_started(
                message.submission_id, message.execution_id, message.node_id, message.started_at
            )
        else:
            self.commit(message.submission_id, self._completion(message))

    def fail(self, submission_id: str, cause: Cause, error_message: str) -> Submission | None:
        """End a submission as IE because the platform could not run it; None if it is final or gone."""
        return self.commit(submission_id, _platform_failure(cause, error_message, self.clock()))

    def commit(self, submission_id: str, completion: Completion) -> Submission | None:
        """Write the final state once and fan it out; None if somebody was first or the submission is gone."""
        reach("record.before_commit")
        committed = self.submissions.commit_final(submission_id, completion)
        reach("record.after_commit")
        if committed is None:
            self._resume(submission_id)
            return None
        self._count(committed)
        self.fanout.fan_out(committed)
        return committed

    def _resume(self, submission_id: str) -> None:
        """Finish the fan-out of one that crashed between commit and fan-out."""
        row = self.submissions.get(submission_id)
        if row is not None and row.is_final and row.fanout is Fanout.PENDING:
            self.fanout.fan_out(row)

    def _count(self, row: Submission) -> None:
        self.metrics.add("ExecutionCompleted", verdict=row.verdict or "", language=row.language)
        if row.started_at is not None:
            waited_ms = from_rfc3339(row.started_at) - from_rfc3339(row.created_at)
            self.metrics.add("QueueDelay", max(0, waited_ms), MetricUnit.Milliseconds)

    def _completion(self, message: ExecutionCompleted) -> Completion:
        stdout, stdout_key = self._place(message, "stdout", message.stdout, message.stderr)
        stderr, stderr_key = self._place(message, "stderr", message.stderr, message.stdout)
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

    def _place(
        self, message: ExecutionCompleted, name: Literal["stdout", "stderr"], stream: Stream, other: Stream
    ) -> tuple[bytes | None, str | None]:
        """Bytes for the row, or the key of their object: what came inline may still be too much for a table item."""
        if stream.content is None:
            return None, stream.object_key
        together = len(stream.content) + len(other.content or b"")
        if together <= INLINE_OUTPUT_MAX_BYTES or len(stream.content) <= INLINE_OUTPUT_MAX_BYTES // 2:
            return stream.content, None
        return None, self.payloads.put_output(message.submission_id, message.execution_id, name, stream.content)


def _platform_failure(cause: Cause, error_message: str, at_ms: int) -> Completion:
    return Completion(
        completed_at=to_rfc3339(at_ms),
        result={
            "verdict": Verdict.IE.value,
            "cause": cause.value,
            "actor": Actor.JUDGE.value,
            "phase": Phase.RUN.value,
            "exit_code": None,
            "signal": None,
            "error_message": error_message,
        },
        integrity=Integrity.WRITE_ERROR.value,
        stdout=b"",
        stderr=b"",
    )
