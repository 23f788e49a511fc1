"""Take a ping: the end of a job becomes a run that has ended, and moves the state of its check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.checks.runs.event_bodies import summary, with_events
from functions.checks.runs.model import Run, RunKind, RunStatus, new_run
from functions.checks.settings.model import BODY_MAX_BYTES, Pings, Signal, SignalKind, token_hash
from functions.checks.state import Finished, settle
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.failpoint import reach
from functions.ids import new_id

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.checks.pings.store import PingStore
    from functions.checks.runs.hints import CheckHints
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore, QuietStore
    from functions.checks.state import Rules


@dataclass(frozen=True, slots=True)
class PingTaking:
    """Takes pings. `hints`: the schedule publishes the events, at once or within a minute."""

    store: CheckStore
    quiet: QuietStore
    pings: PingStore
    hints: CheckHints
    log: Logger
    clock: Clock = now_ms

    def take(self, token: str, signal: Signal, body: bytes) -> bool:
        """Take a ping; return whether it counts. Raises RowsContendedError.

        It does not with an unknown token, while the check is paused, and beyond the pings of a minute.
        """
        hashed = token_hash(token)
        owner = None if hashed is None else self.pings.owner(hashed)
        if owner is None:
            return False
        for _ in tries():
            check = self.store.get(*owner)
            if check is None or check.ping_hash != hashed or check.is_paused:
                return False
            now = self.clock()
            pings = check.pings.counted(now)
            if pings is None:
                return False
            run, after = None, _started(check, pings, now)
            if signal.kind is not SignalKind.START:
                run, after = _ended(check, self.quiet.rules(check), pings, signal, now, has_body=bool(body))
            if self.pings.add(check, after, run, body[:BODY_MAX_BYTES]):
                reach("ping.after_add")
                if run is not None:
                    self.hints.try_send(run, self.log)
                self.log.info("Ping taken", **check.log_ids, signal=signal.kind.value)
                return True
        raise RowsContendedError


def _started(check: Check, pings: Pings, now: int) -> Check:
    """Return the check whose job has started: from now on it has the grace to end."""
    next_slot_ms = now if check.next_slot_ms is None else min(check.next_slot_ms, now)
    return replace(check, pings=replace(pings, started_ms=now), next_slot_ms=next_slot_ms)


def _ended(check: Check, rules: Rules, pings: Pings, signal: Signal, now: int, *, has_body: bool) -> tuple[Run, Check]:
    """Return the run of a job that has ended, and the check with its standing and next time after it."""
    has_passed, started_ms = signal.kind is SignalKind.SUCCESS, check.pings.started_ms
    run = replace(
        new_run(check, RunKind.EVENT, now, now, new_id()),
        status=RunStatus.PASSED if has_passed else RunStatus.FAILED,
        reason=signal.reason,
        started_at=None if started_ms is None else to_rfc3339(started_ms),
        completed_at=to_rfc3339(now),
        wall_time_secs=None if started_ms is None else max(0, now - started_ms) / MS_PER_SEC,
        ping=pings.number if has_body else None,
    )
    finished = Finished(passed=has_passed, is_platform_fault=False, attempt=0, earlier_failed=False)
    step = settle(check.standing, rules, finished, now)
    run = with_events(check, run, rules, step, now, "")  # a run without submission has no result_url
    after = replace(
        check,
        standing=step.standing,
        last_run=summary(run),
        anchor_ms=now,
        pings=replace(pings, ended_ms=now, started_ms=None),
    )
    return run, replace(after, next_slot_ms=after.next_time_after(now))
