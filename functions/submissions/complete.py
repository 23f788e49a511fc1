"""Apply messages of the completions queue: starts, final states with their fan-out, heartbeats.

Used by `record` and by the dead-letter branch of `sweep`; `commit` writes the final state.
"""

from dataclasses import dataclass

from functions.aws.payloads import Payloads
from functions.clock import Clock, now_ms, to_rfc3339
from functions.messages.verdict import Actor, Cause, Integrity, Phase, Verdict
from functions.messages.wire import CompletionsMessage, ExecutionStarted, FanoutsDue, RunnerHeartbeat
from functions.submissions.batched_fan_out import BatchedFanOut
from functions.submissions.commit import CompletionWriter
from functions.submissions.fan_out import FanOut
from functions.submissions.model import Completion, Fanout, Submission
from functions.submissions.runner_store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Completions:
    """Applies completions."""

    submissions: SubmissionStore
    runners: RunnerStore
    payloads: Payloads
    fanout: FanOut
    batched: BatchedFanOut
    metrics: Metrics
    clock: Clock = now_ms

    def apply(self, message: CompletionsMessage) -> None:
        """Apply a message. Repeated and late messages, and those of deleted submissions, change nothing."""
        if isinstance(message, RunnerHeartbeat):
            self.runners.put_heartbeat(message)
        elif isinstance(message, FanoutsDue):
            self.batched.fan_out_due()
        elif isinstance(message, ExecutionStarted):
            self.submissions.mark_started(
                message.submission_id, message.execution_id, message.node_id, message.started_at
            )
        else:
            self.commit(message.submission_id, self._writer.completion(message))

    def fail(self, submission_id: str, cause: Cause, error_message: str) -> Submission | None:
        """Write the verdict IE because the platform could not run the submission. None if it is final or gone."""
        return self.commit(submission_id, _platform_failure(cause, error_message, self.clock()))

    def commit(self, submission_id: str, completion: Completion) -> Submission | None:
        """Write the final state once and fan it out. None if the submission is final already, or gone."""
        committed = self._writer.commit(submission_id, completion)
        if committed is None:
            self._repeat_fan_out(submission_id)
            return None
        self.fanout.fan_out(committed)
        return committed

    @property
    def _writer(self) -> CompletionWriter:
        return CompletionWriter(self.submissions, self.payloads, self.metrics)

    def _repeat_fan_out(self, submission_id: str) -> None:
        """Make the fan-out of a final submission if a crash prevented it."""
        row = self.submissions.get(submission_id)
        if row is not None and row.is_final and row.fanout is Fanout.PENDING:
            self.fanout.fan_out(row)


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
