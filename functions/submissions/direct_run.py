"""Run a submission on a runner over HTTP while its client waits, then write its final state.

If anything fails, the same execution goes to the queue, and the first result counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.failpoint import reach
from functions.submissions.execution_request import execution_requested
from functions.submissions.runner_client import RunnerUnavailableError
from functions.telemetry import warn

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.messages.wire import ExecutionCompleted
    from functions.submissions.commit import Endings
    from functions.submissions.gathered_fanout import GatheredFanOut
    from functions.submissions.model import Claim, Submission
    from functions.submissions.queues import Queues
    from functions.submissions.runner_client import Call, Runner


@dataclass(frozen=True, slots=True)
class DirectRun:
    """The parts that it needs."""

    runner: Runner
    endings: Endings
    gathered: GatheredFanOut
    queues: Queues
    completions_queue_url: str
    log: Logger

    def ask(self, submission: Submission, code: bytes, stdin: bytes) -> Call | None:
        """Send the execution to a runner; None if no runner takes it."""
        try:
            return self.runner.begin(execution_requested(submission, code, stdin, submission.created_at))
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner was not asked directly", unavailable)
            return None

    def finish(self, call: Call, submission: Submission) -> ExecutionCompleted | None:
        """Wait for the runner's answer; None if it gave none."""
        try:
            completed = call.finish()
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner did not answer directly", unavailable)
            return None
        reach("submit.after_answer")
        return completed

    def record_new(self, completed: ExecutionCompleted, submission: Submission, claim: Claim | None) -> Submission:
        """Write the final row of a submission that has none yet. Raises ClaimTakenError and what the tables raise."""
        # The quota item holds the Idempotency-Key until the claim is written; without a key both writes go at once.
        wait_for_release = self.gathered.release(submission) if claim is None else None
        try:
            completion = self.endings.completion(completed)
            is_gathered = self.gathered.suits(submission, completion)
            final = self.endings.commit_new(submission, completion, claim, is_gathered=is_gathered)
        finally:
            if wait_for_release is not None:
                wait_for_release()
        if wait_for_release is None:
            self.gathered.release(submission)()
        self._announce(completed, final, is_gathered=is_gathered)
        return final

    def record(self, completed: ExecutionCompleted, submission: Submission) -> Submission | None:
        """Write the final state into the pending row; None if the queue must run it again."""
        # Beside the commit: the run has ended, and a client that sees its result may start the next one at once.
        wait_for_release = self.gathered.release(submission)
        try:
            completion = self.endings.completion(completed)
            is_gathered = self.gathered.suits(submission, completion)
            final = self.endings.commit(submission.submission_id, completion, is_gathered=is_gathered, known=submission)
        except (ClientError, BotoCoreError) as error:
            self._warn(submission, "Direct result not recorded", error)
            return submission if self._hand_over(completed, submission) else None
        finally:
            wait_for_release()
        if final is None:  # a run from the queue was first, or it was deleted: the table knows
            return submission
        self._announce(completed, final, is_gathered=is_gathered)
        return final

    def _announce(self, completed: ExecutionCompleted, final: Submission, *, is_gathered: bool) -> None:
        if is_gathered:
            self.gathered.remind(final)
        else:
            # `record` finds it final and fans out; if the message is lost, the row is due.
            self._hand_over(completed, final)

    def _hand_over(self, completed: ExecutionCompleted, submission: Submission) -> bool:
        """Give the completion to `record`, as the runner would have."""
        try:
            self.queues.send_completion(self.completions_queue_url, completed)
        except (ClientError, BotoCoreError) as error:
            self._warn(submission, "Completion not sent", error)
            return False
        reach("submit.after_hand_over")
        return True

    def _warn(self, submission: Submission, phrase: str, error: Exception) -> None:
        problem = str(error) if isinstance(error, RunnerUnavailableError) else None
        warn(self.log, phrase, submission.submission_id, error, problem)
