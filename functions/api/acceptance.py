"""Taking a submission in: one row is written, then a queue is told, or a runner was asked meanwhile.

After the row is there, the client is never told that it failed: the row is the queue, and the sweeper sends what a
queue lost.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.api.beginning import Beginning
from functions.core.clock import MS_PER_SEC, Clock, to_rfc3339
from functions.core.dispatch import execution_requested
from functions.core.errors import Forbidden, IdempotencyConflict, RateLimited, Unavailable
from functions.core.failpoint import reach
from functions.core.submission import DIRECT_DUE_SECS, Claim, Status, Submission, idempotency_pk
from functions.ids import new_id
from functions.store.quotas import KeyInFlight
from functions.store.submissions import ClaimTaken
from functions.telemetry import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger

    from functions.api.admission import Admission
    from functions.api.direct import DirectPath
    from functions.core.project import Project
    from functions.core.quota import Usage
    from functions.core.request import RunRequest
    from functions.payloads import Payloads
    from functions.queues import Queues
    from functions.secret_box import SecretBoxes
    from functions.settings import SubmitSettings
    from functions.store.submissions import SubmissionStore

_SECS_PER_DAY = 86_400
_ATTEMPTS = 40
"""At the steps below these last longer than OVERTAKEN_AFTER_MS: whoever waits for a dead request overtakes it."""
_FIRST_STEP_SECS = 0.005
_LONGEST_STEP_SECS = 0.100


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that is in the table, final if a runner was asked directly and has answered.

    `usage`: of its quota, with this one; None for a repeat with the same Idempotency-Key, which is free.
    """

    submission: Submission
    queue_depth: int
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The parts that taking a submission in needs. `direct` None: no runner is asked directly."""

    settings: SubmitSettings
    store: SubmissionStore
    admission: Admission
    payloads: Payloads
    boxes: SecretBoxes
    queues: Queues
    clock: Clock
    log: Logger
    direct: DirectPath | None = None
    sleep: Callable[[float], None] = time.sleep

    def accept(self, project: Project, run: RunRequest, key: str | None, *, interactive: bool) -> Accepted:
        """Write the row and have it run. Raises Forbidden, RateLimited, Unavailable, IdempotencyConflict.

        The quota is taken after everything that may refuse the request, repeats included, and before anything runs,
        unless it is known to be far from used up.
        """
        if run.profile not in project.profiles:
            raise Forbidden(f"This key may not use the {run.profile} profile.")
        queue_url = self.settings.interactive_queue_url if interactive else self.settings.batch_queue_url
        depth = self.queues.recent_depth(queue_url)
        if depth > self.settings.max_queue_depth:
            raise Unavailable("Too many submissions are waiting. Repeat the request later.", 5)
        beginning = Beginning(self.store, self.admission, self.payloads, self.boxes, self.direct)
        claim = Claim(idempotency_pk(project.project_id, key), run.body_sha256) if key is not None else None
        for attempt in range(_ATTEMPTS):
            earlier = self._find_earlier(claim)
            if earlier is not None:
                return Accepted(earlier, depth, None)
            row = self._new_row(project, run, claim, interactive=interactive)
            try:
                submission, is_run, usage = beginning.begin(project, row, run, claim)
            except RateLimited:
                # What used it up may have been this very key, since it was looked for.
                earlier = self._find_earlier(claim)
                if earlier is None:
                    raise
                return Accepted(earlier, depth, None)
            except (ClaimTaken, KeyInFlight):
                # It was, or will be in a moment, another request's with this key; or that one is being deleted.
                self.sleep(random.uniform(0.5, 1) * min(_LONGEST_STEP_SECS, _FIRST_STEP_SECS * 2**attempt))  # noqa: S311 - jitter, no secret
            else:
                if not is_run:
                    self._send(queue_url, submission, run)
                return Accepted(submission, depth, usage)
        raise Unavailable("Too many requests with this Idempotency-Key at once; repeat the request.", 1)

    def _find_earlier(self, claim: Claim | None) -> Submission | None:
        """Return the submission that has the Idempotency-Key already. Raises IdempotencyConflict."""
        if claim is None:
            return None
        try:
            self.store.check_claim(claim)
        except ClaimTaken as taken:
            if taken.body_sha256 != claim.body_sha256:
                raise IdempotencyConflict("This Idempotency-Key was used with another body.") from None
            return self.store.get(taken.submission_id)  # None if it was deleted between two reads, claim and all
        return None

    def _new_row(self, project: Project, run: RunRequest, claim: Claim | None, *, interactive: bool) -> Submission:
        now = self.clock()
        asked_directly = interactive and self.direct is not None
        due_secs = DIRECT_DUE_SECS if asked_directly else self.settings.pending_redrive_secs
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
            due_at_ms=now + due_secs * MS_PER_SEC,
            asked_directly=asked_directly,
        )

    def _send(self, queue_url: str, submission: Submission, run: RunRequest) -> None:
        message = execution_requested(submission, run.code, run.stdin, submission.created_at)
        try:
            reach("submit.before_send")
            self.queues.send_execution(queue_url, message)
            reach("submit.after_send")
            if submission.asked_directly:
                due_at_ms = self.clock() + self.settings.pending_redrive_secs * MS_PER_SEC
                self.store.note_queued(submission.submission_id, due_at_ms)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Queue did not take a submission; the sweeper will send it", submission.submission_id, error)
