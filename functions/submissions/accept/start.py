"""Start a charged submission: run it directly, or write its row and send it to a queue.

A direct run writes its row when it is final. If it lasts longer than `row_after_secs`, a pending row is written
before its end. Once a pending row exists, the submission is accepted and never fails: if a queue loses its message, the
sweeper sends it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.clock import MS_PER_SEC, Clock
from functions.errors import UnavailableError
from functions.failpoint import reach
from functions.submissions.run.runner_client import RunnerSlowError
from functions.submissions.store import ClaimTakenError
from functions.telemetry import warn
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.aws.payloads import Payloads
    from functions.submissions.accept.kind import SubmissionKind
    from functions.submissions.accept.quota_admission import QuotaAdmission
    from functions.submissions.accept.requests import RunRequest
    from functions.submissions.model import Claim, Submission
    from functions.submissions.run.direct_run import DirectRun
    from functions.submissions.run.queues import Queues
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.target.secret_box import SecretBoxes

DIRECT_FROM_SECS = 2
"""A shorter wait goes through the queue: a direct run that is not finished in time must run again from there."""
ROW_AFTER_SECS = 0.5
"""A direct run that lasts longer gets a pending row, so that a crash does not lose it."""


@dataclass(frozen=True, slots=True)
class SubmissionStarter:
    """Starts submissions. `direct` None: every submission goes through a queue."""

    store: SubmissionStore
    admission: QuotaAdmission
    kind: SubmissionKind
    boxes: SecretBoxes
    payloads: Payloads
    queues: Queues
    pending_redrive_secs: int
    clock: Clock
    log: Logger
    direct: DirectRun | None = None
    row_after_secs: float = ROW_AFTER_SECS

    def runs_directly(self, wait_secs: float) -> bool:
        """Whether a submission whose client waits for so long is run directly."""
        return self.direct is not None and wait_secs >= DIRECT_FROM_SECS

    def start(self, row: Submission, run: RunRequest, claim: Claim | None, wait_secs: float) -> Submission:
        """Run it directly, else write its row and send it to the queue.

        Raises ClaimTakenError and the errors of the tables.
        """
        if self.direct is None or not row.asked_directly:
            return self._queue(self._create(row, run, claim), run)
        if self.kind.has_row_first:
            return self._run_with_row(self.direct, self._create(row, run, claim), run, wait_secs)
        return self._run_without_row(self.direct, row, run, claim, wait_secs)

    def _run_with_row(self, direct: DirectRun, row: Submission, run: RunRequest, wait_secs: float) -> Submission:
        """Run a submission directly whose pending row exists, else send it to the queue."""
        call = direct.start(row, self.kind.requested(row, run, is_direct=True), wait_secs)
        if call is None:
            return self._queue(row, run)
        try:
            completed = direct.finish(call, row)
        except RunnerSlowError:
            return row  # the runner goes on, and sends its result as for a queued run
        final = None if completed is None else direct.record(completed, row)
        return final or self._queue(row, run)

    def _run_without_row(
        self, direct: DirectRun, row: Submission, run: RunRequest, claim: Claim | None, wait_secs: float
    ) -> Submission:
        """Run a submission directly and write its final row, else write a pending row and send it to the queue."""
        call = direct.start(row, self.kind.requested(row, run, is_direct=True), wait_secs)
        if call is None:
            return self._queue(self._create(row, run, claim), run)
        pending: Submission | None = None

        def write_pending() -> None:
            nonlocal pending
            try:
                pending = self._create(row, run, claim)
            except (ClientError, BotoCoreError, UnavailableError, ClaimTakenError) as error:
                warn(self.log, "Pending row not written; the end of the run writes it", row.log_ids, error)

        try:
            reach("submit.after_ask")
            row = self._prepare(row, run)
            completed = direct.finish(call, row, self.row_after_secs, write_pending)
        except BaseException:
            call.abandon()
            raise
        final = None
        if completed is not None:
            final = direct.record(completed, pending) if pending else direct.record_new(completed, row, claim)
        return final or self._queue(pending or self._create(row, run, claim), run)

    def _create(self, row: Submission, run: RunRequest, claim: Claim | None) -> Submission:
        row = self.kind.store_input(self._prepare(row, run), run)
        self.store.create(row, claim)
        reach("submit.after_create")
        return row

    def _prepare(self, row: Submission, run: RunRequest) -> Submission:
        """Seal the row's secrets with KMS, keep its program, and read the quotas table if needed.

        A direct run is under way meanwhile.
        """
        if row.quota_shard is not None and row.endpoints_version is None:
            row = replace(row, endpoints_version=self.admission.endpoints_version(row))
        if run.webhook_secret is not None and row.webhook_secret_box is None:
            box = self.boxes.seal(run.webhook_secret, row.project_id, RUN_ENDPOINT_ID)
            row = replace(row, webhook_secret_box=box)
        if run.kept_program is not None and row.program_key is None:
            row = replace(row, program_key=self.payloads.put_program(row.submission_id, run.kept_program))
        if run.environment is not None:
            box = self.boxes.seal(run.environment.text, row.project_id, RUN_ENDPOINT_ID, "environment")
            row = replace(row, environment_box=box)
        return row

    def _queue(self, pending: Submission, run: RunRequest) -> Submission:
        """Send a submission whose pending row exists to its queue."""
        message = self.kind.requested(pending, run, is_direct=False)
        try:
            reach("submit.before_send")
            self.queues.send_execution(message, pending.correlation_id)
            reach("submit.after_send")
            if pending.asked_directly:
                due_at_ms = self.clock() + self.pending_redrive_secs * MS_PER_SEC
                self.store.note_queued(pending.submission_id, due_at_ms)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Submission not queued; the sweeper will send it", pending.log_ids, error)
        return pending
