"""The direct path of a submission that somebody waits for: a runner over HTTP, then the final state.

Whatever goes wrong, the queue is still there: the same execution is asked for again, and the first result counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.dispatch import execution_requested
from functions.core.failpoint import reach
from functions.runner import RunnerUnavailable
from functions.telemetry import warn

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.api.gathered_fanout import GatheredFanOut
    from functions.core.messages import ExecutionCompleted
    from functions.core.submission import Submission
    from functions.endings import Endings
    from functions.queues import Queues
    from functions.runner import Call, Runner


@dataclass(frozen=True, slots=True)
class DirectPath:
    """The parts that it needs."""

    runner: Runner
    endings: Endings
    gathered: GatheredFanOut
    queues: Queues
    completions_queue_url: str
    log: Logger

    def begin(self, submission: Submission, code: bytes, stdin: bytes) -> Call | None:
        """Ask; None where the queue must be asked. The answer means nothing before the row is there."""
        try:
            return self.runner.begin(execution_requested(submission, code, stdin, submission.created_at))
        except RunnerUnavailable as unavailable:
            self._tell(submission, "Runner was not asked directly", unavailable)
            return None

    def finish(self, call: Call, submission: Submission) -> Submission | None:
        """Wait for the answer and record it; None where the queue must be asked."""
        try:
            completed = call.finish()
        except RunnerUnavailable as unavailable:
            self._tell(submission, "Runner did not answer directly", unavailable)
            return None
        reach("submit.after_answer")
        return self._record(completed, submission)

    def _record(self, completed: ExecutionCompleted, submission: Submission) -> Submission | None:
        # Beside the commit: the run has ended, and a client that sees its result may start the next one at once.
        wait_for_release = self.gathered.release(submission)
        try:
            completion = self.endings.completion(completed)
            is_gathered = self.gathered.suits(submission, completion)
            final = self.endings.commit(submission.submission_id, completion, is_gathered=is_gathered, known=submission)
        except (ClientError, BotoCoreError) as error:
            self._tell(submission, "Direct result not recorded", error)
            return submission if self._hand_over(completed, submission) else None
        finally:
            wait_for_release()
        if final is None:  # a run from the queue was first, or it was deleted: the table knows
            return submission
        if is_gathered:
            self.gathered.remind(submission)
        else:
            # `record` finds it final and fans out; if this is lost, the row is due.
            self._hand_over(completed, submission)
        return final

    def _hand_over(self, completed: ExecutionCompleted, submission: Submission) -> bool:
        """Give the completion to `record`, as the runner would have."""
        try:
            self.queues.send_completion(self.completions_queue_url, completed)
        except (ClientError, BotoCoreError) as error:
            self._tell(submission, "Completion not sent", error)
            return False
        reach("submit.after_hand_over")
        return True

    def _tell(self, submission: Submission, phrase: str, error: Exception) -> None:
        problem = str(error) if isinstance(error, RunnerUnavailable) else None
        warn(self.log, phrase, submission.submission_id, error, problem)
