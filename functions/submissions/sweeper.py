"""Handle due rows: send lost submissions again, and complete deliveries and deletions.

The sweeper takes a row by moving its due time, on condition that it still has the due time of the index. So concurrent
sweeps handle a row once, and a row whose handling fails or crashes is due again later.
"""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from functions.aws.payloads import PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms, to_rfc3339
from functions.failpoint import reach
from functions.ids import new_id
from functions.messages.variables import Environment
from functions.messages.verdict import Cause
from functions.submissions.backlog import Backlog, DueSubmission, Entry
from functions.submissions.complete import Completer
from functions.submissions.execution_request import execution_requested
from functions.submissions.judge_runs import JudgeRuns
from functions.submissions.model import PENDING_MAX_MS, Kind, Status, Submission
from functions.submissions.queues import Queues
from functions.submissions.rows import run_budget_ms
from functions.submissions.store import SubmissionStore
from functions.webhooks.alerts.alerts import Alerts
from functions.webhooks.deliveries.due import DueDeletion, DueDelivery, DueEndpoint, DueExhausted, DueLane
from functions.webhooks.deliveries.hints import DeliveryHints, Hint
from functions.webhooks.deliveries.model import HINTED_MS, RUN_ENDPOINT_ID
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.deletions import Deletions
from functions.webhooks.sending.lane_waker import LaneWaker
from functions.webhooks.sending.secret_box import SecretBoxes, UnsealError

if TYPE_CHECKING:
    from functions.messages.wire import Requested

TAKEN_MS = 60_000
DELETION_MS = 500  # of a sweep, for each deleted endpoint
PENDING_REDRIVE_MS = 15 * 60 * MS_PER_SEC

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
    hints: DeliveryHints
    alerts: Alerts
    deletions: Deletions
    lane_waker: LaneWaker
    boxes: SecretBoxes
    queues: Queues
    pending_redrive_ms: int
    clock: Clock = now_ms
    oldest_due_age_ms: int = 0
    _depths: dict[str, int] = field(default_factory=dict)
    _age_lock: threading.Lock = field(default_factory=threading.Lock)

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
        if isinstance(entry, DueDelivery):
            self._handle_delivery(entry)
        elif isinstance(entry, DueEndpoint | DueExhausted):
            self._handle_alert(entry)
        elif isinstance(entry, DueDeletion):
            self._handle_deletion(entry)
        elif isinstance(entry, DueLane):
            self.lane_waker.wake_due(entry, self.clock() + TAKEN_MS)
        else:
            self._handle_submission(entry)

    def _handle_delivery(self, due: DueDelivery) -> None:
        now = self.clock()
        row = self.deliveries.push_back(due, now + HINTED_MS)
        if row is None:
            return
        if row.lane_at_ms is None:  # a parked delivery is not late: no send slot was free
            self._record_age(now - row.due_since_ms)
        reach("sweep.after_take")
        self.hints.send(Hint.with_copy(row))

    def _handle_alert(self, due: DueEndpoint | DueExhausted) -> None:
        now = self.clock()
        if isinstance(due, DueEndpoint):
            is_handled = self.alerts.check_endpoint(due, now + TAKEN_MS)
        else:
            is_handled = self.alerts.publish_exhausted(due, now + TAKEN_MS)
        if is_handled:
            self._record_age(now - due.due_at_ms)

    def _handle_deletion(self, due: DueDeletion) -> None:
        if self.deletions.cancel_paused(due.project_id, due.endpoint_id, due.due_at_ms, DELETION_MS):
            self._record_age(self.clock() - due.due_at_ms)

    def _handle_submission(self, due: DueSubmission) -> None:
        now = self.clock()
        taken_until_ms = now + TAKEN_MS
        if not self.submissions.defer(due.submission_id, taken_until_ms, due.due_at_ms):
            return
        self._record_age(now - due.due_at_ms)
        reach("sweep.after_take")
        row = self.submissions.get(due.submission_id)
        if row is None or row.is_final:
            return
        if row.status is Status.PENDING:
            self._handle_pending(row, now, taken_until_ms)
        else:
            self._handle_running(row, now, taken_until_ms)

    def _handle_pending(self, row: Submission, now: int, taken_until_ms: int) -> None:
        age_ms = now - from_rfc3339(row.created_at)
        if age_ms > PENDING_MAX_MS:
            self.completer.fail(row.submission_id, Cause.IE_NOT_RUN, "the submission was not run within 6 hours")
        # An empty queue means that the message was lost; a direct run never had one. A waiting submission is sent again
        # only every PENDING_REDRIVE_MS: the number of redrives stands for the time of the last one.
        elif (
            (row.asked_directly and row.redrives == 0)
            or self._depth(row.priority) == 0
            or age_ms >= PENDING_REDRIVE_MS * (row.redrives + 1)
        ):
            self._send_again(row, new_id(), now + self.pending_redrive_ms, taken_until_ms)

    def _handle_running(self, row: Submission, now: int, taken_until_ms: int) -> None:
        rerun_id = str(uuid.uuid5(_RERUN_NAMESPACE, row.submission_id))
        if row.execution_id == rerun_id:
            self.completer.fail(row.submission_id, Cause.IE_SUPERVISOR_FAILURE, "the run did not come to an end, twice")
        else:
            self._send_again(row, rerun_id, now + run_budget_ms(row.wall_budget_secs), taken_until_ms)

    def _send_again(self, row: Submission, execution_id: str, due_at_ms: int, taken_until_ms: int) -> None:
        try:
            code, stdin = (
                (row.code or b"", row.stdin or b"")
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
            message = self.judge_runs.requested_again(repeated, code, at)
        else:
            message = execution_requested(repeated, code, stdin, at, environment)
        self.queues.send_execution(message, row.correlation_id)

    def _environment(self, row: Submission) -> Environment | None:
        """Open the sealed environment of a run. Raises UnsealError, ClientError."""
        if row.environment_box is None:
            return None
        return Environment.parse(self.boxes.open(row.environment_box, row.project_id, RUN_ENDPOINT_ID, "environment"))

    def _depth(self, priority: str) -> int:
        """Return the depth before this sweep sent anything, because messages are usually lost together."""
        if priority not in self._depths:
            self._depths[priority] = self.queues.depth(priority)
        return self._depths[priority]

    def _record_age(self, age_ms: int) -> None:
        with self._age_lock:
            self.oldest_due_age_ms = max(self.oldest_due_age_ms, age_ms)
