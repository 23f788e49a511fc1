"""Handle due rows: send lost submissions again, and complete deliveries and deletions.

The sweeper takes a row by moving its due time, on condition that it still has the due time of the index. So concurrent
sweeps handle a row once, and a row whose handling fails or crashes is due again later.

A pending submission is late PENDING_REDRIVE_SECS after its message was sent. It is sent again if that message is lost:
no message waits in the queue, or a run of the same project and queue that was accepted later has begun. In a queue that
others keep busy, nothing tells whether the only message of a project is lost. So each sweep also sends the first late
submission of each project and queue again.
"""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from events.variables import Environment
from events.vocabulary import Cause
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.clock import Clock, from_rfc3339, now_ms, to_rfc3339
from functions.failpoint import reach
from functions.ids import new_id
from functions.submissions.complete.final_state_transaction import Completer
from functions.submissions.complete.judge_runs import JudgeRuns
from functions.submissions.model import NOT_RUN, PENDING_MAX_MS, Kind, Status, Submission
from functions.submissions.rows import run_budget_ms
from functions.submissions.run.execution_request import requested_again
from functions.submissions.run.queues import Queues
from functions.submissions.store import SubmissionStore
from functions.submissions.sweep.backlog import Backlog, DueSubmission, Entry
from functions.submissions.sweep.begun_runs import BegunRuns
from functions.submissions.sweep.due_webhooks import TAKEN_MS, DueWebhooks
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.target.secret_box import SecretBoxes, UnsealError

if TYPE_CHECKING:
    from functions.messages.wire import Requested


_RERUN_NAMESPACE = uuid.UUID("3f6a1c52-8d27-4b7e-9d15-6a0c41d2e7b9")


@dataclass(slots=True)
class Sweep:
    """One sweep, on one thread or several.

    `oldest_due_age_ms`: the largest delay of the rows handled so far.
    """

    completer: Completer
    judge_runs: JudgeRuns
    submissions: SubmissionStore
    payloads: Payloads
    deliveries: DeliveryStore
    webhooks: DueWebhooks
    boxes: SecretBoxes
    queues: Queues
    begun: BegunRuns
    pending_redrive_ms: int
    clock: Clock = now_ms
    oldest_due_age_ms: int = 0
    _waiting: dict[str, int] = field(default_factory=dict)
    _seen_late: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self) -> Iterator[Entry]:
        """Yield all due rows, in the order of `Backlog`; read again until there are no new ones."""
        backlog = Backlog(self.submissions, self.deliveries)
        seen: set[Entry] = set()
        while fresh := backlog.read(self.clock(), seen):
            seen.update(fresh)
            for entry in fresh:
                yield entry
                reach("sweep.mid_page")

    def handle(self, entry: Entry) -> None:
        """Handle one row if its due time is still that of the index."""
        if isinstance(entry, DueSubmission):
            self._handle_submission(entry)
        else:
            self.webhooks.handle(entry, self._record_age)

    def _handle_submission(self, due: DueSubmission) -> None:
        now = self.clock()
        taken_until_ms = now + min(TAKEN_MS, self.pending_redrive_ms)
        row = self.submissions.take(due.submission_id, taken_until_ms, due.due_at_ms)
        if row is None:
            return
        self._record_age(now - due.due_at_ms)
        reach("sweep.after_take")
        if row.cancelled_at is not None:
            self.completer.end_cancelled(row)
        elif row.status is Status.PENDING:
            self._handle_pending(row, now, taken_until_ms)
        else:
            self._handle_running(row, now, taken_until_ms)

    def _handle_pending(self, row: Submission, now: int, taken_until_ms: int) -> None:
        if now - from_rfc3339(row.created_at) > PENDING_MAX_MS:
            self.completer.fail(row.submission_id, Cause.IE_NOT_RUN, NOT_RUN)
        elif self._is_lost(row):
            self._send_again(row, new_id(), now + self.pending_redrive_ms, taken_until_ms)

    def _is_lost(self, row: Submission) -> bool:
        if self._is_empty(row.priority) or (row.asked_directly and row.redrives == 0):
            return True  # a direct run never had a message
        return self._is_first_late(row) or self.begun.has_later(row.project_id, row.priority, row.sent_at)

    def _handle_running(self, row: Submission, now: int, taken_until_ms: int) -> None:
        rerun_id = str(uuid.uuid5(_RERUN_NAMESPACE, row.submission_id))
        if row.execution_id == rerun_id:
            self.completer.fail(row.submission_id, Cause.IE_SUPERVISOR_FAILURE, "the run did not come to an end, twice")
        else:
            self._is_empty(row.priority)  # read before the send
            self._send_again(row, rerun_id, now + run_budget_ms(row.wall_budget_secs), taken_until_ms)

    def _send_again(self, row: Submission, execution_id: str, due_at_ms: int, taken_until_ms: int) -> None:
        try:
            code, stdin, files = (
                (row.code or b"", row.stdin or b"", row.files)
                if row.input_key is None
                else self.payloads.get_input(row.submission_id)
            )
            environment = self._environment(row)
        except (PayloadMissingError, UnsealError):
            self.completer.fail(row.submission_id, Cause.IE_NOT_RUN, "the input of the submission is gone")
            return
        if not self.submissions.redrive(row.submission_id, execution_id, due_at_ms, taken_until_ms):
            return  # it has started, ended or been deleted meanwhile
        reach("sweep.after_redrive")
        repeated, at = replace(row, execution_id=execution_id), to_rfc3339(self.clock())
        message: Requested
        if row.kind is Kind.JUDGE:
            message = self.judge_runs.requested_again(repeated, code, at, files)
        else:
            message = requested_again(repeated, code, stdin, at, environment, files)
        self.queues.send_execution(message, row.correlation_id)

    def _environment(self, row: Submission) -> Environment | None:
        """Open the sealed environment of a run. Raises UnsealError, ClientError."""
        if row.environment_box is None:
            return None
        return Environment.parse(self.boxes.open(row.environment_box, row.project_id, RUN_ENDPOINT_ID, "environment"))

    def _is_empty(self, priority: str) -> bool:
        """Whether no message waited before this sweep sent any, because messages are usually lost together."""
        if priority not in self._waiting:
            self._waiting[priority] = self.queues.waiting(priority)
        return self._waiting[priority] == 0

    def _is_first_late(self, row: Submission) -> bool:
        """Whether this sweep has seen no other late submission of the row's project and queue."""
        queue = (row.project_id, row.priority)
        with self._lock:
            is_first = queue not in self._seen_late
            self._seen_late.add(queue)
        return is_first

    def _record_age(self, age_ms: int) -> None:
        with self._lock:
            self.oldest_due_age_ms = max(self.oldest_due_age_ms, age_ms)
