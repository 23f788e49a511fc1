"""Charge a project's quota before a run, and refund it if nothing runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.errors import RateLimitedError
from functions.failpoint import reach
from functions.projects.model import LEAKED_AFTER_MS, OVERTAKEN_AFTER_MS, Limit
from functions.projects.quota_store import KeyInFlightError, QuotaRefusedError
from functions.telemetry import warn
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.clock import Clock
    from functions.projects.model import Project, QuotaClaim, Usage
    from functions.projects.quota_store import QuotaStore
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore

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

    def __init__(self, quotas: QuotaStore, submissions: SubmissionStore, clock: Clock, log: Logger) -> None:
        self._quotas = quotas
        self._submissions = submissions
        self._clock = clock
        self._log = log
        # Projects and profiles whose runs in flight were just checked.
        self._checked = TtlCache[tuple[str, str], bool](_CHECK_EVERY_MS, _MOST_PROJECTS, clock)

    def charge(self, project: Project, row: Submission) -> Charge:
        """Count the run in its project's quota.

        A run with network also needs a rest of the project's bytes of the day. Raises RateLimitedError,
        UnavailableError, and KeyInFlightError if another request holds the Idempotency-Key.
        """
        if row.network:
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
