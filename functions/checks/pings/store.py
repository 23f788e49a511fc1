"""Tokens of heartbeats, and the bodies of their latest pings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.runs.store import run_item
from functions.checks.settings.model import HISTORY_DAYS, KEPT_BODIES
from functions.checks.settings.store import check_row, next_time_is_same, next_time_values, outage_actions
from functions.clock import MS_PER_SEC

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.checks.runs.model import Run
    from functions.checks.settings.model import Check

_TTL_SECS = HISTORY_DAYS * 86_400


class PingStore(Table):
    """Rows of tokens by their hash, and of bodies: the latest 100 of a heartbeat."""

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
