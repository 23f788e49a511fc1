"""Rows of checks: settings, state and next time in one, the program in another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.row_codec import read, to_json, write
from functions.checks.keys import CHECK_PREFIX, checks_pk
from functions.checks.settings.check_settings import CheckKind, CheckSettings, without_program
from functions.checks.settings.model import Check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Value


def check_row(check: Check) -> dict[str, Value | None]:
    """Return the row of a check, without its program."""
    due_at_ms, settings = check.due_at_ms, without_program(check.settings.stored())
    settings.setdefault("language", "")  # of a heartbeat: the version before reads no check without a language and code
    return {
        **write(check),
        "pk": checks_pk(check.project_id),
        "sk": CHECK_PREFIX + check.check_id,
        "settings": to_json(settings),
        "due_at_ms": due_at_ms,
        "due_shard": None if due_at_ms is None else due_shard(check.check_id),
    }


def source_row(check: Check) -> dict[str, Value | None]:
    """Return the row with the program of a check, and the version of the settings that it belongs to."""
    files = [file.model_dump(mode="json", exclude_defaults=True) for file in check.settings.files]
    return {
        "pk": checks_pk(check.project_id),
        "sk": f"SOURCE#{check.check_id}",
        "code": (check.settings.code or "-").encode(),
        "stdin": check.settings.stdin.encode(),
        "files": to_json(files).encode() if files else None,
        "env_boxes": dict(check.env_boxes),
        "report_box": check.report_box or None,
        "version": check.version,
    }


def to_check(row: Mapping[str, Any], source: Mapping[str, Any] | None = None) -> Check:
    """Return the check of a row. Without its source, its code is "-", its stdin empty, and it has no files."""
    settings = json.loads(row["settings"])
    if settings.get("kind") == CheckKind.HEARTBEAT:
        del settings["language"]
    else:
        settings["code"] = "-" if source is None else source["code"].decode()
    settings["stdin"] = "" if source is None else source["stdin"].decode()
    settings["files"] = [] if source is None or "files" not in source else json.loads(source["files"])
    others = {
        "settings": CheckSettings.model_validate(settings, extra="ignore"),  # the next minor version may know more
        "env_boxes": {} if source is None else source["env_boxes"],
        "report_box": b"" if source is None else source.get("report_box", b""),
    }
    return read(Check, {**row, **others})


def next_time_is_same(before: Check) -> str:
    """Return the condition that the row still has the next scheduled time of a check that was read."""
    return "attribute_not_exists(#next_slot_ms)" if before.next_slot_ms is None else "#next_slot_ms = :next_time"


def next_time_values(before: Check) -> dict[str, Value]:
    """Return the values of that condition."""
    return {} if before.next_slot_ms is None else {"next_time": before.next_slot_ms}
