"""Apply messages of the completions queue: starts, results and heartbeats; settle those of the dead-letter queues."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from events import MessageInvalidError
from events.completed import ExecutionCompleted
from events.judged import Completed, JudgeCompleted, JudgeProgress
from events.runner import CompletionsMessage, ExecutionStarted, RunnerHeartbeat, parse_completions_message
from events.vocabulary import Cause
from functions.clock import from_rfc3339
from functions.submissions.model import NOT_RUN, PENDING_MAX_MS, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from functions.aws.payloads import Payloads
    from functions.submissions.complete.completed_event import JudgeRuns
    from functions.submissions.complete.final_state_transaction import Completer
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


# Settle messages of the dead-letter queues: record them if possible, else give their submission the verdict IE.
#
# A request whose submission never began is not the end: SQS counts receives, also those of a runner that dies with all
# its messages. The row is still due, so the sweeper sends it again until PENDING_MAX_MS have passed.

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def settle(body: str, recorder: Recorder) -> str:
    """Settle one message; return `hint`, `pending`, `recorded`, `ended`, `ignored` or `unreadable`."""
    # The type of the message identifies its queue.
    submission_id, kind = _read_loosely(body)
    if kind == "hint":
        return "hint"  # the row is still due, and the sweeper finds it
    if kind in {"execution_requested", "judge_requested"} and submission_id is not None:
        return _settle_request(submission_id, recorder)
    try:
        message = parse_completions_message(body)
        recorder.send(recorder.apply(message, recorder.rows_of([message])))
    except MessageInvalidError:
        if submission_id is None or kind in {"execution_started", "judge_progress"}:  # the pending row is still due
            return "unreadable"
        failed = recorder.fail(submission_id, Cause.IE_SUPERVISOR_FAILURE, "the answer of the runner could not be read")
        return "ended" if failed is not None else "ignored"
    return "recorded"


def _settle_request(submission_id: str, recorder: Recorder) -> str:
    row = recorder.submissions.get(submission_id)
    cause, problem = Cause.IE_SUPERVISOR_FAILURE, "the submission could not be run after several tries"
    if row is not None and row.status is Status.PENDING:
        if recorder.completer.clock() - from_rfc3339(row.created_at) <= PENDING_MAX_MS:
            return "pending"
        cause, problem = Cause.IE_NOT_RUN, NOT_RUN
    return "ended" if recorder.fail(submission_id, cause, problem) is not None else "ignored"


def submission_of(body: str) -> str | None:
    """Return the submission's id for the log; None if the message has none, or a malformed one."""
    submission_id, _ = _read_loosely(body)
    return submission_id if submission_id is not None and _UUID.fullmatch(submission_id) else None


def _read_loosely(body: str) -> tuple[str | None, str | None]:
    """Return submission id and type of a message that may be malformed; the type of a delivery hint is `hint`."""
    try:
        message = json.loads(body)
    except ValueError:
        return None, None
    if not isinstance(message, dict):
        return None, None
    if "event_id" in message and "type" not in message:
        return None, "hint"
    submission_id, kind = message.get("submission_id"), message.get("type")
    return (
        submission_id if isinstance(submission_id, str) and submission_id else None,
        kind if isinstance(kind, str) else None,
    )
