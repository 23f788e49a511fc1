"""What a message of the completions queue does to a submission: start, final commit (step 1), fan-out.

`record` and the dead-letter branch of `sweep` end a submission here; the final write itself is in `endings`.
"""

from dataclasses import dataclass

from functions.aws.payloads import Payloads
from functions.clock import Clock, now_ms, to_rfc3339
from functions.messages.verdict import Actor, Cause, Integrity, Phase, Verdict
from functions.messages.wire import CompletionsMessage, ExecutionStarted, FanoutsDue, RunnerHeartbeat
from functions.submissions.commit import Endings
from functions.submissions.fan_out import FanOut
from functions.submissions.gathering import Gathering
from functions.submissions.model import Completion, Fanout, Submission
from functions.submissions.runner_store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Completions:
    """Parts that ending a submission needs."""

    submissions: SubmissionStore
    runners: RunnerStore
    payloads: Payloads
    fanout: FanOut
    gathering: Gathering
    metrics: Metrics
    clock: Clock = now_ms

    def apply(self, message: CompletionsMessage) -> None:
        """Do what the message says; repeats, late ones and those of deleted submissions change nothing."""
        if isinstance(message, RunnerHeartbeat):
            self.runners.put_heartbeat(message)
        elif isinstance(message, FanoutsDue):
            self.gathering.fan_out_all()
        elif isinstance(message, ExecutionStarted):
            self.submissions.mark_started(
                message.submission_id, message.execution_id, message.node_id, message.started_at
            )
        else:
            self.commit(message.submission_id, self._endings.completion(message))

    def fail(self, submission_id: str, cause: Cause, error_message: str) -> Submission | None:
        """End a submission as IE because the platform could not run it; None if it is final or gone."""
        return self.commit(submission_id, _platform_failure(cause, error_message, self.clock()))

    def commit(self, submission_id: str, completion: Completion) -> Submission | None:
        """Write the final state once and fan it out; None if somebody was first or the submission is gone."""
        committed = self._endings.commit(submission_id, completion)
        if committed is None:
            self._resume(submission_id)
            return None
        self.fanout.fan_out(committed)
        return committed

    @property
    def _endings(self) -> Endings:
        return Endings(self.submissions, self.payloads, self.metrics)

    def _resume(self, submission_id: str) -> None:
        """Finish the fan-out of one that crashed between commit and fan-out."""
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
