"""Convert checks and runs to items of the checks table and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.checks.keys import CHECK_PREFIX, checks_pk, runs_pk
from functions.checks.settings.check_settings import CheckSettings, without_program
from functions.checks.settings.model import Check, Run, RunKind, RunStatus
from functions.checks.state import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from functions.aws.dynamodb.items import Value

_PLAIN_OF_RUN = (
    *(
        "run_id",
        "check_id",
        "project_id",
        "scheduled_ms",
        "ttl",
        "affects_state",
        "attempt",
        "earlier_failed",
        "reason",
        "event",
        "chain",
    ),
    *("due_at_ms", "submission_id", "verdict", "started_at", "completed_at"),
)
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


def run_item(run: Run) -> dict[str, AttributeValueTypeDef]:
    """Return the item of a run."""
    return to_item(
        {name: getattr(run, name) for name in _PLAIN_OF_RUN}
        | {
            "pk": runs_pk(run.project_id, run.check_id),
            "sk": run.position,
            "kind": run.kind.value,
            "status": run.status.value,
            "wall_time_ms": None if run.wall_time_secs is None else round(run.wall_time_secs * 1000),
            "results": to_json(list(run.results)) if run.results else None,
            "events": [[kind, body] for kind, body in run.events] or None,
            "due_shard": None if run.due_at_ms is None else due_shard(run.run_id),
        }
    )


def to_run(row: Mapping[str, Any]) -> Run:
    """Return the run of a row."""
    return Run(
        **{name: row[name] for name in _PLAIN_OF_RUN if name in row},
        kind=RunKind(row["kind"]),
        status=RunStatus(row["status"]),
        wall_time_secs=row["wall_time_ms"] / 1000 if "wall_time_ms" in row else None,
        results=tuple(json.loads(row.get("results", "[]"))),
        events=tuple((kind, body) for kind, body in row.get("events", ())),
    )
