"""Accept a submission: charge the quota, then run it directly or write its row and send it to a queue.

A direct run writes its row when it is final. If it lasts longer than `row_after_secs`, a pending row is written
meanwhile. Once a pending row exists, the submission is accepted and never fails: if a queue loses its message, the
sweeper sends it again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.retries import tries
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, to_rfc3339
from functions.errors import ForbiddenError, IdempotencyConflictError, RateLimitedError, UnavailableError
from functions.failpoint import reach
from functions.ids import new_id
from functions.projects.quota_store import KeyInFlightError
from functions.submissions.delayed_write import DelayedWrite
from functions.submissions.environment_box import seal_environment
from functions.submissions.model import (
    DIRECT_DUE_SECS,
    Claim,
    Status,
    Submission,
    idempotency_pk,
)
from functions.submissions.runner_client import RunnerSlowError
from functions.submissions.store import ClaimTakenError
from functions.telemetry import warn
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger

    from functions.projects.model import Project
    from functions.projects.quota import Usage
    from functions.submissions.direct_run import DirectRun
    from functions.submissions.queues import Queues
    from functions.submissions.quota_admission import Charge, QuotaAdmission
    from functions.submissions.requests import RunRequest
    from functions.submissions.store import SubmissionStore
    from functions.submissions.work import Work
    from functions.webhooks.sending.secret_box import SecretBoxes

_SECS_PER_DAY = 86_400
_MOST_TRIES = 75
"""With the pauses of `tries`, 7 s on average, a repeat overtakes a request that died (OVERTAKEN_AFTER_MS)."""

DIRECT_FROM_SECS = 2
"""A shorter wait goes through the queue: a direct run that is not finished in time must run again from there."""
OUTLASTED_MS = 25_000
"""A submission that took this long ended about when its client's wait did."""
JOINED_MS = 60_000
"""For this long after its end, such a submission answers a repeat of the request."""
ROW_AFTER_SECS = 0.5
"""A direct run that lasts longer gets a pending row, so that a crash does not lose it."""


class AcceptSettings(Protocol):
    """The settings that acceptance reads."""

    @property
    def interactive_queue_url(self) -> str:
        """Queue of submissions with a waiting client."""
        ...

    @property
    def batch_queue_url(self) -> str:
        """Queue of all others."""
        ...

    @property
    def max_queue_depth(self) -> int:
        """Waiting submissions of a queue above which none is accepted."""
        ...

    @property
    def pending_redrive_secs(self) -> int:
        """Age at which the sweeper looks at a pending submission."""
        ...

    @property
    def retention_days(self) -> int:
        """How long a submission is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted submission; final after a direct run.

    `usage`: the quota usage with this submission; None for a repeat with the same Idempotency-Key, which is free.
    """

    submission: Submission
    queue_depth: int
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Accepts submissions. `direct` None: every submission goes through a queue."""

    settings: AcceptSettings
    store: SubmissionStore
    admission: QuotaAdmission
    work: Work
    boxes: SecretBoxes
    queues: Queues
    clock: Clock
    log: Logger
    direct: DirectRun | None = None
    sleep: Callable[[float], None] = time.sleep
    row_after_secs: float = ROW_AFTER_SECS

    def accept(
        self,
        project: Project,
        run: RunRequest,
        key: str | None,
        *,
        wait_secs: float,
        correlation_id: str,
        joins_in_flight: bool = False,
    ) -> Accepted:
        """Run a submission, or queue it. `wait_secs`: how long its client waits.

        `joins_in_flight`: without a key, an identical body in flight is the same submission.
        Raises ForbiddenError, RateLimitedError, UnavailableError, IdempotencyConflictError.
        """
        # The quota is charged after every other check, so that repeats are free, and before anything runs.
        if run.profile not in project.profiles:
            raise ForbiddenError(f"This key may not use the {run.profile} profile.")
        queue_url = self.settings.interactive_queue_url if wait_secs else self.settings.batch_queue_url
        depth = self.queues.recent_depth(queue_url)
        if depth > self.settings.max_queue_depth:
            raise UnavailableError("Too many submissions are waiting. Repeat the request later.", 5)
        claim = self._claim(project, run, key, joins_in_flight=joins_in_flight)
        for _ in tries(_MOST_TRIES, self.sleep):
            earlier = self._find_earlier(claim)
            if earlier is not None and claim is not None and claim.is_of_body and self._is_over(earlier):
                claim = replace(claim, replaces=earlier.submission_id)
            elif earlier is not None:
                return Accepted(earlier, depth, None)
            row = self._new_row(project, run, claim, interactive=wait_secs > 0, correlation_id=correlation_id)
            if self.direct is not None and wait_secs >= DIRECT_FROM_SECS:
                due_at_ms = self.clock() + DIRECT_DUE_SECS * MS_PER_SEC
                row = replace(row, asked_directly=True, due_at_ms=due_at_ms)
            try:
                charge = self.admission.charge(project, row)
                row = replace(row, endpoints_version=charge.endpoints_version, quota_shard=charge.shard)
                submission = self._start_or_refund(row, run, claim, charge, queue_url, wait_secs)
            except RateLimitedError:
                # Another request with this key may have used up the quota since the first check.
                earlier = self._find_earlier(claim)
                if earlier is None or (claim is not None and earlier.submission_id == claim.replaces):
                    raise
                return Accepted(earlier, depth, None)
            except (ClaimTakenError, KeyInFlightError):
                continue  # another request holds this key, and its row exists or will exist in a moment
            return Accepted(submission, depth, charge.usage)
        raise UnavailableError("Too many requests with this Idempotency-Key at once; repeat the request.", 1)

    def _start_or_refund(
        self,
        row: Submission,
        run: RunRequest,
        claim: Claim | None,
        charge: Charge,
        queue_url: str,
        wait_secs: float,
    ) -> Submission:
        try:
            return self._start(row, run, claim, queue_url, wait_secs)
        except ClaimTakenError:
            self.admission.refund(row, charge)
            raise
        except (ClientError, BotoCoreError, UnavailableError):
            self.admission.refund_unwritten(row, charge)
            raise

    def _start(
        self, row: Submission, run: RunRequest, claim: Claim | None, queue_url: str, wait_secs: float
    ) -> Submission:
        """Run it directly, else write its row and send it to the queue.

        Raises ClaimTakenError and the errors of the tables.
        """
        direct = self.direct if row.asked_directly else None
        if self.work.has_row_first:
            return self._start_after_row(self._create(row, run, claim), run, queue_url, wait_secs)
        call = direct.start(row, self.work.requested(row, run, is_direct=True), wait_secs) if direct else None
        if direct is None or call is None:
            pending = self._create(row, run, claim)
        else:
            try:
                reach("submit.after_ask")
                row = self._prepare(row, run)
            except BaseException:
                call.abandon()
                raise
            slow = DelayedWrite(lambda: self._create(row, run, claim), self.row_after_secs, self.log, row.log_ids)
            try:
                completed = direct.finish(call, row)
            finally:
                written = slow.stop()
            if completed is not None:
                final = direct.record(completed, written) if written else direct.record_new(completed, row, claim)
                if final is not None:
                    return final
            pending = written or self._create(row, run, claim)
        self._send(queue_url, pending, run)
        return pending

    def _start_after_row(self, row: Submission, run: RunRequest, queue_url: str, wait_secs: float) -> Submission:
        """Run a submission directly whose pending row exists, else send it to the queue."""
        direct = self.direct if row.asked_directly else None
        call = direct.start(row, self.work.requested(row, run, is_direct=True), wait_secs) if direct else None
        if direct is not None and call is not None:
            try:
                completed = direct.finish(call, row)
            except RunnerSlowError:
                return row  # the runner goes on, and sends its result as for a queued run
            final = None if completed is None else direct.record(completed, row)
            if final is not None:
                return final
        self._send(queue_url, row, run)
        return row

    def _create(self, row: Submission, run: RunRequest, claim: Claim | None) -> Submission:
        row = self.work.store_input(self._prepare(row, run), run)
        self.store.create(row, claim)
        reach("submit.after_create")
        return row

    def _prepare(self, row: Submission, run: RunRequest) -> Submission:
        """Get what the row needs, from KMS and the quotas table. A direct run is under way meanwhile."""
        if row.quota_shard is not None and row.endpoints_version is None:
            row = replace(row, endpoints_version=self.admission.endpoints_version(row))
        if run.webhook_secret is not None and row.webhook_secret_box is None:
            box = self.boxes.seal(run.webhook_secret, row.project_id, RUN_ENDPOINT_ID)
            row = replace(row, webhook_secret_box=box)
        if run.environment is not None:
            row = replace(row, environment_box=seal_environment(self.boxes, run.environment, row.project_id))
        return row

    def _claim(self, project: Project, run: RunRequest, key: str | None, *, joins_in_flight: bool) -> Claim | None:
        if key is not None:
            return Claim(idempotency_pk(project.project_id, key), run.body_sha256)
        if joins_in_flight:
            # A header cannot hold this first character.
            return Claim(idempotency_pk(project.project_id, f"\0{run.body_sha256}"), run.body_sha256, is_of_body=True)
        return None

    def _is_over(self, earlier: Submission) -> bool:
        """Tell whether a submission is no longer joined. One that outlasted its client is, for JOINED_MS more."""
        if earlier.completed_at is None:
            return False
        ended_ms = from_rfc3339(earlier.completed_at)
        has_outlasted = ended_ms - from_rfc3339(earlier.created_at) >= OUTLASTED_MS
        return not (has_outlasted and self.clock() - ended_ms < JOINED_MS)

    def _find_earlier(self, claim: Claim | None) -> Submission | None:
        """Return the earlier submission with the Idempotency-Key. Raises IdempotencyConflictError."""
        if claim is None:
            return None
        try:
            self.store.check_claim(claim)
        except ClaimTakenError as taken:
            if taken.body_sha256 != claim.body_sha256:
                raise IdempotencyConflictError("This Idempotency-Key was used with another body.") from None
            return self.store.get(taken.submission_id)  # None if it was deleted between the two reads
        return None

    def _new_row(
        self, project: Project, run: RunRequest, claim: Claim | None, *, interactive: bool, correlation_id: str
    ) -> Submission:
        now = self.clock()
        return Submission(
            submission_id=new_id(),
            project_id=project.project_id,
            status=Status.PENDING,
            language=run.language.value,
            profile=run.profile.value,
            priority="interactive" if interactive else "batch",
            code=run.code,
            stdin=run.stdin,
            limits=run.limits,
            metadata=run.metadata,
            webhook_url=run.webhook_url,
            idempotency_pk=claim.idempotency_pk if claim else None,
            created_at=to_rfc3339(now),
            ttl=now // MS_PER_SEC + self.settings.retention_days * _SECS_PER_DAY,
            execution_id=new_id(),
            wall_budget_secs=run.wall_budget_secs,
            due_at_ms=now + self.settings.pending_redrive_secs * MS_PER_SEC,
            correlation_id=correlation_id,
            **self.work.new_values(run),
        )

    def _send(self, queue_url: str, submission: Submission, run: RunRequest) -> None:
        message = self.work.requested(submission, run, is_direct=False)
        try:
            reach("submit.before_send")
            self.queues.send_execution(queue_url, message, submission.correlation_id)
            reach("submit.after_send")
            if submission.asked_directly:
                due_at_ms = self.clock() + self.settings.pending_redrive_secs * MS_PER_SEC
                self.store.note_queued(submission.submission_id, due_at_ms)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Submission not queued; the sweeper will send it", submission.log_ids, error)
