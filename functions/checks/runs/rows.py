"""Rows of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.checks.keys import runs_pk
from functions.checks.runs.model import Run, RunKind, RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

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
