"""Rows of checks: settings, state and next time in one, the program in another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.row_codec import to_json
from functions.checks.keys import CHECK_PREFIX, checks_pk
from functions.checks.settings.check_settings import CheckSettings, without_program
from functions.checks.settings.model import Check
from functions.checks.state import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Value

_PLAIN_OF_CHECK = (
    *("check_id", "project_id", "created_at", "updated_at", "anchor_ms", "badge_token", "version"),
    *("standing_version", "next_slot_ms", "open_run_id"),
)


def check_row(check: Check) -> dict[str, Value | None]:
    """Return the row of a check, without its program."""
    due_at_ms = check.due_at_ms
    return {name: getattr(check, name) for name in _PLAIN_OF_CHECK} | {
        "pk": checks_pk(check.project_id),
        "sk": CHECK_PREFIX + check.check_id,
        "settings": to_json(without_program(check.settings.stored())),
        "standing": to_json(check.standing.to_json()),
        "last_run": None if check.last_run is None else to_json(check.last_run),
        "due_at_ms": due_at_ms,
        "due_shard": None if due_at_ms is None else due_shard(check.check_id),
    }


def source_row(check: Check) -> dict[str, Value | None]:
    """Return the row with the program of a check, and the version of the settings that it belongs to."""
    return {
        "pk": checks_pk(check.project_id),
        "sk": f"SOURCE#{check.check_id}",
        "code": check.settings.code.encode(),
        "stdin": check.settings.stdin.encode(),
        "env_boxes": dict(check.env_boxes),
        "version": check.version,
    }


def to_check(row: Mapping[str, Any], source: Mapping[str, Any] | None = None) -> Check:
    """Return the check of a row. Without its source, its code is "-" and its stdin empty."""
    settings = json.loads(row["settings"])
    settings["code"] = "-" if source is None else source["code"].decode()
    settings["stdin"] = "" if source is None else source["stdin"].decode()
    return Check(
        **{name: row[name] for name in _PLAIN_OF_CHECK if name in row},
        settings=CheckSettings.model_validate(settings, extra="ignore"),  # the next minor version may know more
        env_boxes={} if source is None else source["env_boxes"],
        standing=Standing.from_json(json.loads(row["standing"])),
        last_run=json.loads(row["last_run"]) if "last_run" in row else None,
    )


def slot_is_seen(seen: Check) -> str:
    """Return the condition that the check still has the next slot that was read."""
    return "attribute_not_exists(#next_slot_ms)" if seen.next_slot_ms is None else "#next_slot_ms = :seen_slot"


def seen_slot(seen: Check) -> dict[str, Value]:
    """Return the values of that condition."""
    return {} if seen.next_slot_ms is None else {"seen_slot": seen.next_slot_ms}
