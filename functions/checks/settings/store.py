"""Checks in their table. Every change is one conditional write or one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from functions.aws.dynamodb.conditional import ABSENT, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import RowsContendedError, transact_or_raise
from functions.checks import keys
from functions.checks.settings import rows
from functions.checks.settings.model import MAX_CHECKS, Check
from functions.checks.settings.outages import outage_actions
from functions.checks.settings.trigger_store import trigger_action


class SlugTakenError(Exception):
    """Another check of the project has this slug."""


class CheckLimitError(Exception):
    """The project has MAX_CHECKS checks."""


class CheckStore(Table):
    """Rows of checks: settings, programs, slugs, badges. Reads of single rows are consistent."""

    def create(self, check: Check) -> None:
        """Write a new check with its program, slug and badge. Raises SlugTakenError, CheckLimitError."""
        project_id, check_id = check.project_id, check.check_id
        count = ConditionalUpdate(
            {},
            "attribute_not_exists(#count) OR #count < :most",
            {"zero": 0, "one": 1, "most": MAX_CHECKS},
            computed=("#count = if_not_exists(#count, :zero) + :one",),
        )
        badge = {**keys.badge_key(check.badge_token), **to_item({"owner": [project_id, check_id]})}
        refusal = transact_or_raise(
            self._client,
            {
                "check": put(self.table_name, to_item(rows.check_row(check)), ABSENT),
                "slug": self._put_slug(check),
                "count": count.action(self.table_name, keys.count_key(project_id)),
                "source": put(self.table_name, to_item(rows.source_row(check))),
                "badge": put(self.table_name, badge),
                "trigger": [] if check.settings.trigger is None else trigger_action(self.table_name, check),
            },
        )
        # A refusal by the check is our own row: botocore repeated the write after a lost answer.
        if refusal is None or "check" in refusal.failed:
            return
        raise SlugTakenError if "slug" in refusal.failed else CheckLimitError

    def get(self, project_id: str, check_id: str, *, with_source: bool = False) -> Check | None:
        """Return a check, with its program if that is asked for. Raises RowsContendedError."""
        for _ in tries(sleep=self._sleep):
            row = self._get(keys.check_key(project_id, check_id))
            if row is None or not with_source:
                return None if row is None else rows.to_check(row)
            source = self._get(keys.source_key(project_id, check_id))
            if source is None:
                return None
            if source.get("version", row["version"]) == row["version"]:  # else it was changed between the two reads
                return rows.to_check(row, source)
        raise RowsContendedError

    def id_of_slug(self, project_id: str, slug: str) -> str | None:
        """Return the id of the check with a slug."""
        row = self._get(keys.slug_key(project_id, slug))
        return None if row is None else str(row["check_id"])

    def list_all(self, project_id: str) -> list[Check]:
        """Return all checks of a project without their programs, newest first."""
        checks = map(rows.to_check, self._list(keys.checks_pk(project_id), keys.CHECK_PREFIX))
        return sorted(checks, key=lambda check: (check.created_at, check.check_id), reverse=True)

    def change(self, before: Check, after: Check) -> bool:
        """Write new settings, schedule and standing. False if the check has changed since `before` was read.

        Both with their programs. Raises SlugTakenError.
        """
        after = replace(after, version=before.version + 1, standing_version=before.standing_version + 1)
        row = rows.check_row(after)
        names = ("settings", "standing", "updated_at", "anchor_ms", "version", "standing_version")
        moving = ("next_slot_ms", "due_at_ms", "due_shard")
        sets = {name: value for name in (*names, *moving) if (value := row.get(name)) is not None}
        update = ConditionalUpdate(
            sets,
            "#version = :version_before AND #standing_version = :standing_before AND " + rows.next_time_is_same(before),
            {
                "version_before": before.version,
                "standing_before": before.standing_version,
                **rows.next_time_values(before),
            },
            tuple(name for name in moving if row.get(name) is None),
        )
        actions = {
            "check": update.action(self.table_name, keys.check_key(before.project_id, before.check_id)),
            "source": put(self.table_name, to_item(rows.source_row(after))),
            "outage": outage_actions(self.table_name, before, after),
        }
        if after.settings.slug != before.settings.slug:
            actions["slug"] = self._put_slug(after)
            actions["old slug"] = delete(self.table_name, keys.slug_key(before.project_id, before.settings.slug or ""))
        if (after.settings.slug, after.settings.trigger) != (before.settings.slug, before.settings.trigger):
            actions["trigger"] = trigger_action(self.table_name, after)
        refusal = transact_or_raise(self._client, actions)
        if refusal is None:
            return True
        if "check" in refusal.failed:
            return False
        raise SlugTakenError

    def delete(self, check: Check) -> bool:
        """Delete a check. False if its settings have changed since it was read, or it is gone. Its history expires."""
        project_id, check_id = check.project_id, check.check_id
        unchanged = "attribute_exists(#pk) AND #version = :version"
        count = ConditionalUpdate({}, "", {"one": 1}, computed=("#count = #count - :one",))
        others = (
            keys.source_key(project_id, check_id),
            keys.good_key(project_id, check_id),
            keys.slug_key(project_id, check.settings.slug or ""),
            keys.badge_key(check.badge_token),
            keys.hook_key(check_id),
            keys.trigger_key(project_id, check_id),
            *(() if check.ping_hash is None else (keys.ping_key(check.ping_hash),)),
        )
        check_key = keys.check_key(project_id, check_id)
        actions = {
            "check": delete(self.table_name, check_key, unchanged, {"version": check.version}),
            "count": count.action(self.table_name, keys.count_key(project_id)),
            "others": [delete(self.table_name, other) for other in others],
        }
        return transact_or_raise(self._client, actions) is None

    def badge(self, token: str) -> tuple[str, str] | None:
        """Return project id and check id of a badge."""
        row = self._get(keys.badge_key(token))
        return None if row is None else (row["owner"][0], row["owner"][1])

    def _put_slug(self, check: Check) -> Any:
        slug = keys.slug_key(check.project_id, check.settings.slug or "")
        return put(self.table_name, {**slug, **to_item({"check_id": check.check_id})}, ABSENT)
