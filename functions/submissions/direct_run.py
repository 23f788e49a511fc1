"""Run a submission on a runner over HTTP while its client waits, then write its final state.

If a step fails, the same execution goes to the queue. The first recorded result counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.errors import UnavailableError
from functions.failpoint import reach
from functions.submissions.execution_request import execution_requested
from functions.submissions.runner_client import RunnerUnavailableError
from functions.telemetry import warn

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.messages.wire import ExecutionCompleted
    from functions.submissions.complete import Completer
    from functions.submissions.model import Claim, Submission
    from functions.submissions.queues import Queues
    from functions.submissions.runner_client import Call, RunnerClient


@dataclass(frozen=True, slots=True)
class DirectRun:
    """Runs submissions directly."""

    runner: RunnerClient
    completer: Completer
    queues: Queues
    completions_queue_url: str
    log: Logger

    def start(self, submission: Submission, code: bytes, stdin: bytes, wait_secs: float) -> Call | None:
        """Send the execution to a runner. None if no runner accepts it. `wait_secs`: how long for its answer."""
        message = execution_requested(submission, code, stdin, submission.created_at)
        try:
            return self.runner.start(message, submission.correlation_id, wait_secs)
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner not called directly", unavailable)
            return None

    def finish(self, call: Call, submission: Submission) -> ExecutionCompleted | None:
        """Wait for the runner's answer. None if there is no valid one."""
        try:
            completed = call.finish()
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner did not answer directly", unavailable)
            return None
        reach("submit.after_answer")
        return completed

    def record_new(self, completed: ExecutionCompleted, submission: Submission, claim: Claim | None) -> Submission:
        """Write the final row of a submission without a row. Raises ClaimTakenError and the errors of the tables."""
        ended = self.completer.complete_new(submission, self.completer.completion(completed), claim)
        self.completer.send(ended.hints)
        return ended.submission

    def record(self, completed: ExecutionCompleted, submission: Submission) -> Submission | None:
        """Write the final state into the pending row. None if the queue must run it again."""
        try:
            ended = self.completer.complete(submission, self.completer.completion(completed))
        except (ClientError, BotoCoreError, UnavailableError) as error:
            self._warn(submission, "Direct result not recorded", error)
            return submission if self._send_completion(completed, submission) else None
        if ended is None:  # a run from the queue was first, or the row was deleted: the caller reads the row
            return submission
        self.completer.send(ended.hints)
        return ended.submission

    def _send_completion(self, completed: ExecutionCompleted, submission: Submission) -> bool:
        """Send the completion to `record`, as a runner does for a queued run."""
        try:
            self.queues.send_completion(self.completions_queue_url, completed)
        except (ClientError, BotoCoreError) as error:
            self._warn(submission, "Completion not sent", error)
            return False
        reach("submit.after_hand_over")
        return True

    def _warn(self, submission: Submission, phrase: str, error: Exception) -> None:
        problem = str(error) if isinstance(error, RunnerUnavailableError) else None
        warn(self.log, phrase, submission.log_ids, error, problem)
