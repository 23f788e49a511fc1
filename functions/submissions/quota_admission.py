"""A project's quota, taken before anything runs and given back where nothing came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.errors import RateLimitedError
from functions.failpoint import reach
from functions.projects.in_flight import LEAKED_AFTER_MS, OVERTAKEN_AFTER_MS, InFlight
from functions.projects.quota import Limit
from functions.projects.quota_store import KeyInFlightError, QuotaRefusedError
from functions.telemetry import warn

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.clock import Clock
    from functions.projects.model import Project
    from functions.projects.quota import Usage
    from functions.projects.quota_store import QuotaStore
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore

_LOOK_EVERY_MS = 200
_LOOK_AT_MOST = 25


@dataclass(frozen=True, slots=True)
class Admitted:
    """`usage` as it was then. `has_overtaken`: another request's place was let go of, whose fate is unknown."""

    usage: Usage
    has_overtaken: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """The parts that it needs. `looked_ms`: when the runs of a project and profile were looked at last."""

    quotas: QuotaStore
    submissions: SubmissionStore
    clock: Clock
    log: Logger
    looked_ms: dict[tuple[str, str], int] = field(default_factory=dict)

    def admit(self, project: Project, row: Submission) -> Admitted:
        """Count the run in its project's quota.

        Raises RateLimitedError, UnavailableError, and KeyInFlightError if another request holds the Idempotency-Key.
        """
        has_overtaken = False
        try:
            try:
                usage = self.quotas.take(row.quota_claim, project.quota(row.profile))
            except KeyInFlightError as held:
                if self.clock() - held.entry.since_ms < OVERTAKEN_AFTER_MS:
                    raise
                # It died before it wrote its row, most likely, and its client asks again. What it counted stays.
                self.quotas.release(replace(row.quota_claim, entry=held.entry))
                has_overtaken = True
                usage = self.quotas.take(row.quota_claim, project.quota(row.profile))
            except QuotaRefusedError as refused:
                if refused.refusal.limit is not Limit.IN_FLIGHT or not self._clear(row, refused.in_flight):
                    raise
                usage = self.quotas.take(row.quota_claim, project.quota(row.profile))
        except QuotaRefusedError as refused:
            rate = refused.refusal.rate
            raise RateLimitedError(refused.refusal.message(row.profile), rate.reset_secs, rate.headers) from None
        reach("submit.after_take")
        return Admitted(usage, has_overtaken)

    def give_back(self, row: Submission, admitted: Admitted) -> None:
        """Another submission has won its Idempotency-Key: repeats are free."""
        if not admitted.has_overtaken:  # else the winner may be the one whose place was let go of
            self._try_to_give_back(row, admitted)

    def give_back_unwritten(self, row: Submission, admitted: Admitted) -> None:
        """Writing its row failed. What failed may have been the answer only: then it will run, and it counts."""
        self._try_to_give_back(row, admitted, only_if_missing=True)

    def _try_to_give_back(self, row: Submission, admitted: Admitted, *, only_if_missing: bool = False) -> None:
        try:
            if not only_if_missing or self.submissions.get(row.submission_id) is None:
                self.quotas.give_back(row.quota_claim, admitted.usage)
        except (ClientError, BotoCoreError) as error:
            # The windows end by themselves, and the place is found by `_clear`.
            warn(self.log, "Quota not given back", row.submission_id, error)

    def _clear(self, row: Submission, in_flight: tuple[InFlight, ...]) -> bool:
        """Let go of places of runs that are final, or that never came to be. True if there was one.

        A run is final a moment before its place is free. Looking costs a read for each run, so whoever hammers on a
        full quota does not get it each time.
        """
        whose, now = (row.project_id, row.profile), self.clock()
        if 0 <= now - self.looked_ms.get(whose, 0) < _LOOK_EVERY_MS:
            return False
        self.looked_ms[whose] = now
        let_go = 0
        for entry in in_flight[:_LOOK_AT_MOST]:
            found = self.submissions.get(entry.submission_id)
            if found.is_final if found is not None else now - entry.since_ms >= LEAKED_AFTER_MS:
                self.quotas.release(replace(row.quota_claim, entry=entry))
                let_go += 1
        return let_go > 0
