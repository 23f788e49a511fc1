"""Run a submission on a runner over HTTP while its client waits, then write its final state.

If a step fails, the same execution goes to the queue. The first recorded result counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from events import MessageInvalidError
from functions.errors import UnavailableError
from functions.failpoint import reach
from functions.submissions.model import Kind
from functions.submissions.run.runner_client import NEVER_SLOW, RunnerSlowError, RunnerUnavailableError
from functions.telemetry import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger

    from events.judged import Completed
    from events.requested import Requested
    from functions.submissions.complete.final_state_transaction import Completer
    from functions.submissions.model import Claim, Submission
    from functions.submissions.run.queues import Queues
    from functions.submissions.run.runner_client import Call, DirectRunners, RunnerClient


@dataclass(frozen=True, slots=True)
class DirectRun:
    """Runs submissions directly. `network_runner`: for runs with network; None: they go through the queue."""

    runner: RunnerClient
    network_runner: RunnerClient | None
    completer: Completer
    queues: Queues
    completions_queue_url: str
    log: Logger

    def start(self, submission: Submission, message: Requested, wait_secs: float) -> Call | None:
        """Send the execution to a runner. None if no runner accepts it. `wait_secs`: how long for its answer."""
        runner = self.network_runner if submission.network else self.runner
        if runner is None:
            return None
        try:
            return runner.start(message, submission.correlation_id, wait_secs)
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner not called directly; the submission is queued", unavailable)
            return None

    def finish(
        self,
        call: Call,
        submission: Submission,
        slow_after_secs: float = NEVER_SLOW,
        when_slow: Callable[[], None] = lambda: None,
    ) -> Completed | None:
        """Wait for the runner's answer. None if there is no valid one. `when_slow`: see `Call.finish`.

        Raises RunnerSlowError if a judge run is still under way when the wait is over.
        """
        try:
            completed = call.finish(slow_after_secs, when_slow)
        except RunnerSlowError as slow:
            if submission.kind is Kind.JUDGE:
                raise
            self._warn(submission, "Runner did not answer directly; the submission is queued", slow)
            return None
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner did not answer directly; the submission is queued", unavailable)
            return None
        reach("submit.after_answer")
        return completed

    def record_new(self, completed: Completed, submission: Submission, claim: Claim | None) -> Submission:
        """Write the final row of a submission without a row. Raises ClaimTakenError and the errors of the tables."""
        ended = self.completer.complete_new(submission, self.completer.completion(completed, submission), claim)
        self.completer.send(ended.hints)
        return ended.submission

    def record(self, completed: Completed, submission: Submission) -> Submission | None:
        """Write the final state into the pending row. None if the queue must run it again."""
        try:
            ended = self.completer.complete(submission, self.completer.completion(completed, submission))
        except MessageInvalidError as error:
            self._warn(submission, "Direct result does not fit its request; the submission is queued", error)
            return None
        except (ClientError, BotoCoreError, UnavailableError) as error:
            self._warn(submission, "Direct result not recorded; the completions queue gets it", error)
            return submission if self._send_completion(completed, submission) else None
        if ended is None:  # a run from the queue was first, or the row was deleted: the caller reads the row
            return submission
        self.completer.send(ended.hints)
        return ended.submission

    def _send_completion(self, completed: Completed, submission: Submission) -> bool:
        """Send the completion to `record`, as a runner does for a queued run."""
        try:
            self.queues.send_completion(self.completions_queue_url, completed)
        except (ClientError, BotoCoreError) as error:
            self._warn(submission, "Completion not sent; the submission is queued", error)
            return False
        reach("submit.after_hand_over")
        return True

    def _warn(self, submission: Submission, phrase: str, error: Exception) -> None:
        problem = str(error) if isinstance(error, RunnerUnavailableError) else None
        warn(self.log, phrase, submission.log_ids, error, problem)


def direct_run_of(
    runners: DirectRunners, url: str, completer: Completer, queues: Queues, log: Logger
) -> DirectRun | None:
    """Return the part that runs submissions directly; None without a runner. `url`: of the completions queue."""
    if runners.runner is None:
        return None
    return DirectRun(runners.runner, runners.network_runner, completer, queues, url, log)
