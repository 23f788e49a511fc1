"""Apply messages of the completions queue: starts, results and heartbeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.vocabulary import Cause
from functions.messages.judged import JudgeCompleted, JudgeProgress
from functions.messages.wire import (
    Completed,
    CompletionsMessage,
    ExecutionCompleted,
    ExecutionStarted,
    RunnerHeartbeat,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from functions.aws.payloads import Payloads
    from functions.submissions.complete.final_state_transaction import Completer
    from functions.submissions.complete.judge_runs import JudgeRuns
    from functions.submissions.model import Submission
    from functions.submissions.runners.control_objects import ControlObjects
    from functions.submissions.runners.runner_store import RunnerStore
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.deliveries.hints import Hint


@dataclass(frozen=True, slots=True)
class Recorder:
    """Applies messages. Repeated and late ones, and those of deleted submissions, change nothing."""

    completer: Completer
    submissions: SubmissionStore
    payloads: Payloads
    runners: RunnerStore
    judge_runs: JudgeRuns
    control: ControlObjects

    def rows_of(self, messages: Iterable[CompletionsMessage]) -> dict[str, Submission]:
        """Read the rows that the completions among these messages need, by submission id."""
        ends = (message for message in messages if isinstance(message, ExecutionCompleted | JudgeCompleted))
        wanted = {message.submission_id for message in ends}
        return self.submissions.get_all(sorted(wanted))

    def apply(self, message: CompletionsMessage, rows: Mapping[str, Submission]) -> tuple[Hint, ...]:
        """Apply one message. `rows` holds the row of its submission, unless it is deleted.

        Returns hints to send with those of the whole batch.
        """
        if isinstance(message, RunnerHeartbeat):
            self.runners.put_heartbeat(message)
        elif isinstance(message, ExecutionStarted):
            self._start(message)
        elif isinstance(message, JudgeProgress):
            self.judge_runs.add_progress(message)
        else:
            return self._complete(message, rows.get(message.submission_id))
        return ()

    def send(self, hints: Sequence[Hint]) -> None:
        """Send the hints that `apply` returned."""
        self.completer.send(hints)

    def fail(self, submission_id: str, cause: Cause, error_message: str) -> Submission | None:
        """Give a submission the verdict IE. None if it is final or gone."""
        return self.completer.fail(submission_id, cause, error_message)

    def _start(self, message: ExecutionStarted) -> None:
        """Note the start of a run; stop it if its submission was deleted or cancelled before this message."""
        submission_id, node_id = message.submission_id, message.node_id
        if self.submissions.mark_started(submission_id, message.execution_id, node_id, message.started_at):
            return
        row = self.submissions.get(submission_id)
        if row is None or row.cancelled_at is not None:
            self.control.cancel(node_id, submission_id)

    def _complete(self, message: Completed, row: Submission | None) -> tuple[Hint, ...]:
        outputs: tuple[str | None, ...] = ()
        if row is not None and not row.is_final:
            completion = self.completer.completion(message, row)
            ended = self.completer.complete(row, completion)
            if ended is not None:
                return ended.hints
            outputs = (completion.stdout_key, completion.stderr_key, completion.cases_key)
            row = self.submissions.get(message.submission_id)
        if row is None:  # deleted during the run: its late output goes too
            self.payloads.delete_outputs(message.submission_id, (*outputs, *self._objects_of(message)))
        elif row.network and row.result.get("cause") == Cause.CANCELLED_BEFORE_START:  # it had just begun
            self.completer.count_late_bytes(row, message)
        elif row.execution_id == message.execution_id:
            return self.completer.end_again(row).hints
        return ()

    def _objects_of(self, message: Completed) -> tuple[str | None, ...]:
        if isinstance(message, JudgeCompleted):
            return self.judge_runs.object_keys(message)
        artifacts = (file.key for file in message.artifacts or ())
        return (message.stdout.object_key, message.stderr.object_key, *artifacts)
