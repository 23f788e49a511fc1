"""Pings: jobs elsewhere report their ends to a heartbeat. Its tokens, and the bodies of its latest pings.

A ping becomes a run that has ended, and moves the state of its check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact_or_raise
from functions.checks import keys
from functions.checks.runs.event_bodies import summary, with_events
from functions.checks.runs.model import Run, RunKind, RunStatus, new_run
from functions.checks.runs.store import run_item
from functions.checks.settings.model import (
    BODY_MAX_BYTES,
    HISTORY_DAYS,
    KEPT_BODIES,
    Pings,
    Signal,
    SignalKind,
    token_hash,
)
from functions.checks.settings.store import check_row, next_time_is_same, next_time_values, outage_actions
from functions.checks.state import Finished, settle
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.failpoint import reach
from functions.ids import new_id

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.aws.dynamodb.items import Value
    from functions.checks.runs.hints import CheckHints
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore, QuietStore
    from functions.checks.state import Rules


_TTL_SECS = HISTORY_DAYS * 86_400


class PingStore(Table):
    """Rows of tokens by their hash, and of bodies: the latest 100 of a heartbeat."""

    table_setting = "checks_table"

    def owner(self, token_hash: str) -> tuple[str, str] | None:
        """Return project id and check id of a token."""
        row = self._get(keys.ping_key(token_hash))
        return None if row is None else (row["owner"][0], row["owner"][1])

    def replace_token(self, check: Check, token_hash: str) -> bool:
        """Give a check the token with this hash, in place of the one before. False if another process did so."""
        condition, values = _token_is_same(check)
        update = ConditionalUpdate({"ping_hash": token_hash}, f"attribute_exists(#pk) AND {condition}", values)
        old = () if check.ping_hash is None else (delete(self.table_name, keys.ping_key(check.ping_hash)),)
        owner = to_item({"owner": [check.project_id, check.check_id]})
        actions = {
            "check": update.action(self.table_name, keys.check_key(check.project_id, check.check_id)),
            "new": put(self.table_name, {**keys.ping_key(token_hash), **owner}),
            "old": list(old),
        }
        return transact_or_raise(self._client, actions) is None

    def add(self, before: Check, after: Check, run: Run | None, body: bytes) -> bool:
        """Write a ping: the check with its next time and standing, the run that has ended, and the body.

        All in one transaction. False if the check has changed, or its token.
        """
        row = check_row(after)
        names = ("standing", "last_run", "anchor_ms", "pings", "next_slot_ms", "due_at_ms", "due_shard")
        sets = {name: value for name in names if (value := row.get(name)) is not None}
        same_token, values = _token_is_same(before)
        update = ConditionalUpdate(
            {**sets, "standing_version": before.standing_version + 1},
            f"#version = :version AND #standing_version = :standing_before AND {same_token} AND "
            + next_time_is_same(before),
            {
                "version": before.version,
                "standing_before": before.standing_version,
                **values,
                **next_time_values(before),
            },
            tuple(name for name in ("next_slot_ms", "due_at_ms", "due_shard") if row.get(name) is None),
        )
        actions: dict[str, Any] = {
            "check": update.action(self.table_name, keys.check_key(before.project_id, before.check_id)),
            "run": [] if run is None else put(self.table_name, run_item(run)),
            "outage": outage_actions(self.table_name, before, after),
            "body": [] if run is None or not body else put(self.table_name, self._body_item(run, body)),
        }
        return transact_or_raise(self._client, actions) is None

    def body(self, check: Check, number: int) -> bytes | None:
        """Return the body of a ping; None without one, and after 100 more pings."""
        row = self._get(keys.ping_body_key(check.project_id, check.check_id, number % KEPT_BODIES))
        return bytes(row["body"]) if row is not None and row["number"] == number else None

    def _body_item(self, run: Run, body: bytes) -> Any:
        number = run.ping or 0
        values: dict[str, Value | None] = {
            "number": number,
            "body": body,
            "ttl": self._clock() // MS_PER_SEC + _TTL_SECS,
        }
        return {**keys.ping_body_key(run.project_id, run.check_id, number % KEPT_BODIES), **to_item(values)}


def _token_is_same(check: Check) -> tuple[str, dict[str, Value]]:
    if check.ping_hash is None:
        return "attribute_not_exists(#ping_hash)", {}
    return "#ping_hash = :hash_before", {"hash_before": check.ping_hash}


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
