"""Accept a submission: find an earlier one with its key, charge the quota, then start it (`start.py`)."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from events.vocabulary import Profile
from functions.aws.dynamodb.table import tries
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, to_rfc3339
from functions.errors import IdempotencyConflictError, RateLimitedError, UnavailableError
from functions.http.validation import Problems
from functions.ids import new_id
from functions.projects.quota_store import KeyInFlightError
from functions.submissions.accept.program_fields import placed, stored_hashes
from functions.submissions.model import (
    DIRECT_DUE_SECS,
    Claim,
    Status,
    Submission,
    idempotency_pk,
)
from functions.submissions.store import KEY_CONTENDED, ClaimTakenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.program import Program
    from functions.files.use import StoredFiles
    from functions.projects.model import Project, Usage
    from functions.settings import Settings
    from functions.submissions.accept.requests import ValidSubmission
    from functions.submissions.accept.start import QuotaAdmission, SubmissionStarter
    from functions.submissions.run.queues import Queues
    from functions.submissions.store import SubmissionStore

_SECS_PER_DAY = 86_400
_MOST_TRIES = 75
"""With the pauses of `tries`, 7 s on average, a repeat overtakes a request that died (OVERTAKEN_AFTER_MS)."""

OUTLASTED_MS = 25_000
"""The client of a submission that took this long has probably stopped waiting, and repeats its request."""
JOINED_MS = 60_000
"""For this long after its end, such a submission answers the repeat."""


@dataclass(frozen=True, slots=True)
class AcceptedSubmission:
    """An accepted submission; final after a direct run.

    `usage`: the quota usage with this submission; None for a repeat with the same Idempotency-Key, which is free.
    """

    submission: Submission
    queue_depth: int
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A checked request for a submission. `key`: its Idempotency-Key. `wait_secs`: how long its client waits.

    `joins_in_flight`: without a key, an identical body in flight is the same submission.
    """

    project: Project
    request: ValidSubmission
    key: str | None
    wait_secs: float
    correlation_id: str
    traceparent: str | None = None
    joins_in_flight: bool = False

    @property
    def priority(self) -> str:
        """The queue of the submission: waiting clients go first, and some runners take no run with network."""
        if self.request.program.network:
            return "network"
        return "interactive" if self.wait_secs > 0 else "batch"

    @property
    def claim(self) -> Claim | None:
        """The claim of its Idempotency-Key, or of its body; None without either."""
        project_id, sha256 = self.project.project_id, self.request.body_sha256
        if self.key is not None:
            return Claim(idempotency_pk(project_id, self.key), sha256)
        if self.joins_in_flight:
            # A header cannot hold this first character.
            return Claim(idempotency_pk(project_id, f"\0{sha256}"), sha256, is_of_body=True)
        return None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Accepts submissions."""

    settings: Settings
    store: SubmissionStore
    admission: QuotaAdmission
    queues: Queues
    files: StoredFiles
    starter: SubmissionStarter
    clock: Clock
    sleep: Callable[[float], None] = time.sleep

    def accept(self, new: NewSubmission) -> AcceptedSubmission:
        """Run a submission, or queue it.

        Raises ForbiddenError, RateLimitedError, UnavailableError, IdempotencyConflictError, FilesMissingError.
        """
        # The quota is charged after every other check, so that repeats are free, and before anything runs.
        problems = Problems()
        program = new.request.program
        problems.add(new.project.refusals(Profile(program.profile), program.network))
        problems.refuse()
        depth = self.queues.recent_depth(new.priority)
        if depth > self.settings.max_queue_depth:
            raise UnavailableError("Too many submissions are waiting. Repeat the request later.", 5)
        claim = new.claim
        for _ in tries(_MOST_TRIES, self.sleep):
            earlier = self._find_earlier(claim)
            if earlier is not None and claim is not None and claim.is_of_body and self._is_replaceable(earlier):
                claim = replace(claim, replaces=earlier.submission_id)
            elif earlier is not None:
                return AcceptedSubmission(earlier, depth, None)
            try:
                submission, usage = self._charge_and_start(new, claim)
            except RateLimitedError:
                # Another request with this key may have used up the quota since the first check.
                earlier = self._find_earlier(claim)
                if earlier is None or (claim is not None and earlier.submission_id == claim.replaces):
                    raise
                return AcceptedSubmission(earlier, depth, None)
            except (ClaimTakenError, KeyInFlightError):
                continue  # another request holds this key, and its row exists or will exist in a moment
            return AcceptedSubmission(submission, depth, usage)
        raise UnavailableError(KEY_CONTENDED, 1)

    def _charge_and_start(self, new: NewSubmission, claim: Claim | None) -> tuple[Submission, Usage]:
        """Charge the quota and start the submission. Refund it if it was not started."""
        row = self._new_row(new, self._with_held_files(new), claim)
        charge = self.admission.charge(new.project, row)
        row = replace(row, endpoints_version=charge.endpoints_version, quota_shard=charge.shard)
        try:
            return self.starter.start(row, new.request, claim, new.wait_secs), charge.usage
        except ClaimTakenError:
            self.admission.refund(row, charge)
            raise
        except (ClientError, BotoCoreError, UnavailableError):
            self.admission.refund_unwritten(row, charge)
            raise

    def _with_held_files(self, new: NewSubmission) -> Program:
        """Hold the stored files of a program for as long as it may wait.

        Raises FilesMissingError, RateLimitedError, InvalidFieldsError.
        """
        program = new.request.program
        if not program.files:
            return program
        stored = self.files.hold(new.project, stored_hashes(program.files))
        return replace(program, files=placed(program.files, stored))

    def _is_replaceable(self, earlier: Submission) -> bool:
        """Whether an identical body starts a new submission, and does not get the earlier one."""
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
                raise IdempotencyConflictError from None
            return self.store.get(taken.submission_id)  # None if it was deleted between the two reads
        return None

    def _new_row(self, new: NewSubmission, program: Program, claim: Claim | None) -> Submission:
        now, is_direct = self.clock(), self.starter.runs_directly(new.wait_secs)
        due_secs = DIRECT_DUE_SECS if is_direct else self.settings.pending_redrive_secs
        return Submission(
            **{part.name: getattr(program, part.name) for part in fields(program)},
            submission_id=new_id(),
            project_id=new.project.project_id,
            status=Status.PENDING,
            priority=new.priority,
            metadata=new.request.metadata,
            webhook_url=new.request.webhook_url,
            idempotency_pk=claim.idempotency_pk if claim else None,
            created_at=to_rfc3339(now),
            ttl=now // MS_PER_SEC + self.settings.retention_days * _SECS_PER_DAY,
            execution_id=new_id(),
            wall_budget_secs=new.request.wall_budget_secs,
            asked_directly=is_direct,
            due_at_ms=now + due_secs * MS_PER_SEC,
            correlation_id=new.correlation_id,
            traceparent=new.traceparent,
            **new.request.row_values,
        )
