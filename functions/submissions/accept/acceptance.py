"""Accept a submission: find an earlier one with its key, charge the project's quota, run it directly or queue it.

A direct run writes its row when it is final. If it lasts longer than ROW_AFTER_SECS, a pending row is written
before its end. Once a pending row exists, the submission is accepted and never fails: if a queue loses its message, the
sweeper sends it again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from botocore.exceptions import BotoCoreError, ClientError

from events.files import write_files
from events.program import Program
from events.vocabulary import Profile
from functions.aws.dynamodb.row_codec import read_compressed
from functions.aws.dynamodb.table import tries
from functions.aws.payloads import Payloads
from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.env import Env
from functions.errors import IdempotencyConflictError, RateLimitedError, UnavailableError
from functions.failpoint import reach
from functions.files.use import StoredFiles
from functions.http.validation import Problems
from functions.ids import new_id
from functions.project_secrets.store import SecretStore
from functions.projects.model import LEAKED_AFTER_MS, OVERTAKEN_AFTER_MS, Limit, Project, QuotaClaim, Usage
from functions.projects.quota_store import KeyInFlightError, QuotaRefusedError, QuotaStore
from functions.submissions.accept.program_fields import placed, stored_hashes
from functions.submissions.accept.requests import ValidSubmission
from functions.submissions.direct import DirectRun, RunnerSlowError, direct_run
from functions.submissions.model import (
    DIRECT_DUE_SECS,
    INLINE_INPUT_MAX_BYTES,
    Claim,
    Status,
    Submission,
    idempotency_pk,
)
from functions.submissions.queues import Queues
from functions.submissions.store import KEY_CONTENDED, ClaimTakenError, SubmissionStore
from functions.telemetry import warn
from functions.ttl_cache import TtlCache
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.sealed_secrets import SecretBoxes

_CHECK_EVERY_MS = 200
_MOST_CHECKED = 25
_MOST_PROJECTS = 1_000


@dataclass(frozen=True, slots=True)
class Charge:
    """A charged run: see `Charged`. `usage`: of the whole quota, estimated from the shard.

    `has_overtaken`: we released another request, which may still succeed.
    """

    shard: str | None
    usage: Usage
    endpoints_version: str | None
    has_overtaken: bool = False


class QuotaAdmission:
    """Charges and refunds."""

    def __init__(self, env: Env) -> None:
        self._quotas = env[QuotaStore]
        self._submissions = env[SubmissionStore]
        self._clock = env.clock
        self._log = env.log
        # Projects and profiles whose runs in flight were just checked.
        self._checked = TtlCache[tuple[str, str], bool](_CHECK_EVERY_MS, _MOST_PROJECTS, env.clock)

    def charge(self, project: Project, row: Submission) -> Charge:
        """Count the run in its project's quota.

        A run with network also needs a rest of the project's bytes of the day. Raises RateLimitedError,
        UnavailableError, and KeyInFlightError if another request holds the Idempotency-Key.
        """
        if row.needs_network:
            self._quotas.network.check(project)
        has_overtaken, quota = False, project.quota(row.profile)
        try:
            try:
                charged = self._quotas.charge(row.quota_claim, quota)
            except KeyInFlightError as taken:
                if self._clock() - taken.held.entry.since_ms < OVERTAKEN_AFTER_MS:
                    raise
                # It probably died before it wrote its row, and its client repeats the request. Its charge stays.
                self._quotas.release(taken.held)
                has_overtaken = True
                charged = self._quotas.charge(row.quota_claim, quota)
            except QuotaRefusedError as refused:
                if refused.refusal.limit is not Limit.IN_FLIGHT or not self._release_stale(row, refused.in_flight):
                    raise
                charged = self._quotas.charge(row.quota_claim, quota)
        except QuotaRefusedError as refused:
            rate = refused.refusal.rate
            raise RateLimitedError(refused.refusal.message(row.profile), rate.reset_secs, rate.headers) from None
        reach("submit.after_take")
        usage = charged.usage.times(quota.shards)
        return Charge(charged.claim.shard, usage, charged.endpoints_version, has_overtaken)

    def endpoints_version(self, row: Submission) -> str | None:
        """Return the version of the project's endpoints, which only the charge of an undivided quota returns."""
        return self._quotas.endpoints_version(row.project_id, row.profile)

    def refund(self, row: Submission, charge: Charge) -> None:
        """Refund a run whose Idempotency-Key belongs to another submission: repeats are free."""
        if not charge.has_overtaken:  # else the other submission may be the released one
            self._refund(row, charge)

    def refund_unwritten(self, row: Submission, charge: Charge) -> None:
        """Refund a run after a failed write, unless its row exists: then only the answer was lost, and it runs."""
        self._refund(row, charge, only_if_missing=True)

    def _refund(self, row: Submission, charge: Charge, *, only_if_missing: bool = False) -> None:
        try:
            if not only_if_missing or self._submissions.get(row.submission_id) is None:
                self._quotas.refund(row.quota_claim, charge.usage)
        except (ClientError, BotoCoreError) as error:
            # The windows end by themselves, and `_release_stale` finds the entry.
            warn(self._log, "Run not refunded; its windows end by themselves", row.log_ids, error)

    def _release_stale(self, row: Submission, in_flight: tuple[QuotaClaim, ...]) -> bool:
        """Release runs in flight that are final or never started. True if there was one."""
        # A run is final shortly before it is released. The check reads a row per run, so a client that floods a full
        # quota gets it only every _CHECK_EVERY_MS.
        owner = (row.project_id, row.profile)
        if self._checked.get(owner):
            return False
        self._checked.keep(owner, value=True)
        released, now = 0, self._clock()
        for claim in in_flight[:_MOST_CHECKED]:
            current = self._submissions.get(claim.entry.submission_id)
            if current.is_final if current is not None else now - claim.entry.since_ms >= LEAKED_AFTER_MS:
                self._quotas.release(claim)
                released += 1
        return released > 0


DIRECT_FROM_SECS = 2
"""A shorter wait goes through the queue: a direct run that is not finished in time must run again from there."""
ROW_AFTER_SECS = 0.5
"""A direct run that lasts longer gets a pending row, so that a crash does not lose it."""


class SubmissionStarter:
    """Starts submissions. Where nothing runs directly, every submission goes through a queue."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._store = env[SubmissionStore]
        self._admission = env[QuotaAdmission]
        self._payloads = env[Payloads]
        self._direct = env[direct_run]

    def runs_directly(self, wait_secs: float) -> bool:
        """Whether a submission whose client waits for so long is run directly."""
        return self._direct is not None and wait_secs >= DIRECT_FROM_SECS

    def start(self, row: Submission, request: ValidSubmission, claim: Claim | None, wait_secs: float) -> Submission:
        """Run it directly, else write its row and send it to the queue.

        Raises ClaimTakenError and the errors of the tables.
        """
        if self._direct is None or not row.asked_directly:
            return self._queue(self._create(row, request, claim), request)
        if request.outlasts_client:
            return self._run_with_row(self._direct, self._create(row, request, claim), request, wait_secs)
        return self._run_without_row(self._direct, row, request, claim, wait_secs)

    def _run_with_row(
        self, direct: DirectRun, row: Submission, request: ValidSubmission, wait_secs: float
    ) -> Submission:
        """Run a submission directly whose pending row exists, else send it to the queue."""
        call = direct.start(row, request.requested(row, is_direct=True), wait_secs)
        if call is None:
            return self._queue(row, request)
        try:
            completed = direct.finish(call, row)
        except RunnerSlowError:
            return row  # the runner goes on, and sends its result as for a queued run
        final = None if completed is None else direct.record(completed, row)
        return final or self._queue(row, request)

    def _run_without_row(
        self, direct: DirectRun, row: Submission, request: ValidSubmission, claim: Claim | None, wait_secs: float
    ) -> Submission:
        """Run a submission directly and write its final row, else write a pending row and send it to the queue."""
        call = direct.start(row, request.requested(row, is_direct=True), wait_secs)
        if call is None:
            return self._queue(self._create(row, request, claim), request)
        pending: Submission | None = None

        def write_pending() -> None:
            nonlocal pending
            try:
                pending = self._create(row, request, claim)
            except (ClientError, BotoCoreError, UnavailableError, ClaimTakenError) as error:
                warn(self._env.log, "Pending row not written; the end of the run writes it", row.log_ids, error)

        try:
            reach("submit.after_ask")
            row = self._prepare(row, request)
            completed = direct.finish(call, row, ROW_AFTER_SECS, write_pending)
        except BaseException:
            call.abandon()
            raise
        final = None
        if completed is not None:
            final = direct.record(completed, pending) if pending else direct.record_new(completed, row, claim)
        return final or self._queue(pending or self._create(row, request, claim), request)

    def _create(self, row: Submission, request: ValidSubmission, claim: Claim | None) -> Submission:
        whole = self._prepare(row, request)
        row = self._without_input(whole)
        self._store.create(row, claim)
        reach("submit.after_create")
        return row.with_input(whole)

    def _without_input(self, row: Submission) -> Submission:
        """Move the cases into the bucket if they are too large for the row, and a program that is too large itself."""
        code, stdin, files = row.code or b"", row.stdin or b"", write_files(row.files) if row.files else None
        size = len(code) + len(stdin) + len(files or b"")
        judging = None if row.judging is None else read_compressed(row.judging)
        if judging is not None and size + len(judging) > INLINE_INPUT_MAX_BYTES:
            key = self._payloads.put_judging(row.submission_id, judging.decode())
            row = replace(row, judging=None, judging_key=key)
        if size <= INLINE_INPUT_MAX_BYTES:
            return row
        key = self._payloads.put_input(row.submission_id, code, stdin, files)
        return replace(row, code=None, stdin=None, files=(), input_key=key)

    def _prepare(self, row: Submission, request: ValidSubmission) -> Submission:
        """Seal the row's secrets with KMS, keep its program, and read the quotas table if needed.

        A direct run is under way meanwhile.
        """
        if row.quota_shard is not None and row.endpoints_version is None:
            row = replace(row, endpoints_version=self._admission.endpoints_version(row))
        if request.webhook_secret is not None and row.webhook_secret_box is None:
            box = self._env[SecretBoxes].seal(request.webhook_secret, row.project_id, RUN_ENDPOINT_ID)
            row = replace(row, webhook_secret_box=box)
        if request.kept_program is not None and row.program_key is None:
            row = replace(row, program_key=self._payloads.put_program(row.submission_id, request.kept_program))
        if row.environment is not None:
            box = self._env[SecretBoxes].seal(row.environment.text, row.project_id, RUN_ENDPOINT_ID, "environment")
            row = replace(row, environment_box=box)
        return row

    def _queue(self, pending: Submission, request: ValidSubmission) -> Submission:
        message = request.requested(pending, is_direct=False)
        try:
            reach("submit.before_send")
            self._env[Queues].send_execution(message, pending.correlation_id)
            reach("submit.after_send")
            if pending.asked_directly:
                due_at_ms = self._env.clock() + self._env.settings.pending_redrive_secs * MS_PER_SEC
                self._store.note_queued(pending.submission_id, due_at_ms)
        except (ClientError, BotoCoreError) as error:
            warn(self._env.log, "Submission not queued; the sweeper will send it", pending.log_ids, error)
        return pending


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

    `source`: by which way it came, such as `api`, `console`, `check` or the name of a dialect.
    """

    project: Project
    request: ValidSubmission
    key: str | None
    wait_secs: float
    correlation_id: str
    traceparent: str | None = None
    source: str = "api"

    @property
    def priority(self) -> str:
        """The queue of the submission: waiting clients go first, and some runners take no run with network."""
        if self.request.program.needs_network:
            return "network"
        return "interactive" if self.wait_secs > 0 else "batch"

    @property
    def claim(self) -> Claim | None:
        """The claim of its Idempotency-Key, or of its body; None without either."""
        project_id, sha256 = self.project.project_id, self.request.body_sha256
        if self.key is not None:
            return Claim(idempotency_pk(project_id, self.key), sha256)
        if self.request.outlasts_client:
            # A header cannot hold this first character.
            return Claim(idempotency_pk(project_id, f"\0{sha256}"), sha256, is_of_body=True)
        return None


class Acceptance:
    """Accepts runs and judge runs."""

    def __init__(self, env: Env, sleep: Callable[[float], None] = time.sleep) -> None:
        self._env = env
        self._store = env[SubmissionStore]
        self._admission = env[QuotaAdmission]
        self._starter = env[SubmissionStarter]
        self._sleep = sleep

    def accept(self, new: NewSubmission) -> AcceptedSubmission:
        """Run a submission, or queue it.

        Raises ForbiddenError, RateLimitedError, UnavailableError, IdempotencyConflictError, FilesMissingError.
        """
        # The quota is charged after every other check, so that repeats are free, and before anything runs.
        problems = Problems()
        program = new.request.program
        problems.add(new.project.refusals(Profile(program.profile), program.network))
        problems.refuse()
        depth = self._env[Queues].recent_depth(new.priority)
        if depth > self._env.settings.max_queue_depth:
            raise UnavailableError("Too many submissions are waiting. Repeat the request later.", 5)
        claim = new.claim
        for _ in tries(_MOST_TRIES, self._sleep):
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
        row = self._new_row(new, self._with_secrets(new.project, self._with_held_files(new)), claim)
        charge = self._admission.charge(new.project, row)
        row = replace(row, endpoints_version=charge.endpoints_version, quota_shard=charge.shard)
        try:
            return self._starter.start(row, new.request, claim, new.wait_secs), charge.usage
        except ClaimTakenError:
            self._admission.refund(row, charge)
            raise
        except (ClientError, BotoCoreError, UnavailableError):
            self._admission.refund_unwritten(row, charge)
            raise

    def _with_held_files(self, new: NewSubmission) -> Program:
        """Hold the stored files of a program for as long as it may wait.

        Raises FilesMissingError, RateLimitedError, InvalidFieldsError.
        """
        program = new.request.program
        if not program.files:
            return program
        stored = self._env[StoredFiles].hold(new.project, stored_hashes(program.files))
        return replace(program, files=placed(program.files, stored))

    def _with_secrets(self, project: Project, program: Program) -> Program:
        """Take the sealed secrets of a program as they are now: until its end, the row has them.

        Raises InvalidFieldsError and ForbiddenError.
        """
        if not program.secrets:
            return program
        sealed, wrong = self._env[SecretStore].chosen(project.project_id, program.secrets)
        problems = Problems()
        problems.add(wrong)
        problems.add(project.network_refusals([secret.target for secret in sealed]))
        problems.refuse()
        return replace(program, sealed_secrets=sealed)

    def _is_replaceable(self, earlier: Submission) -> bool:
        """Whether an identical body starts a new submission, and does not get the earlier one."""
        if earlier.completed_at is None:
            return False
        ended_ms = from_rfc3339(earlier.completed_at)
        has_outlasted = ended_ms - from_rfc3339(earlier.created_at) >= OUTLASTED_MS
        return not (has_outlasted and self._env.clock() - ended_ms < JOINED_MS)

    def _find_earlier(self, claim: Claim | None) -> Submission | None:
        """Return the earlier submission with the Idempotency-Key. Raises IdempotencyConflictError."""
        if claim is None:
            return None
        try:
            self._store.check_claim(claim)
        except ClaimTakenError as taken:
            if taken.body_sha256 != claim.body_sha256:
                raise IdempotencyConflictError from None
            return self._store.get(taken.submission_id)  # None if it was deleted between the two reads
        return None

    def _new_row(self, new: NewSubmission, program: Program, claim: Claim | None) -> Submission:
        now, is_direct = self._env.clock(), self._starter.runs_directly(new.wait_secs)
        due_secs = DIRECT_DUE_SECS if is_direct else self._env.settings.pending_redrive_secs
        values = new.request.row_values
        values |= {"summary": {**values.get("summary", {}), "source": new.source}}  # a kind comes first (ADR 21)
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
            ttl=now // MS_PER_SEC + self._env.settings.retention_days * _SECS_PER_DAY,
            execution_id=new_id(),
            wall_budget_secs=new.request.wall_budget_secs,
            asked_directly=is_direct,
            due_at_ms=now + due_secs * MS_PER_SEC,
            correlation_id=new.correlation_id,
            traceparent=new.traceparent,
            **values,
        )
