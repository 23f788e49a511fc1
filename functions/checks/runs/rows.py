"""Rows of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.checks.keys import runs_pk
from functions.checks.runs.model import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_MS = 1000


def run_item(run: Run) -> dict[str, AttributeValueTypeDef]:
    """Return the item of a run."""
    return to_item(
        {
            **write(run),
            "pk": runs_pk(run.project_id, run.check_id),
            "sk": run.position,
            "wall_time_ms": None if run.wall_time_secs is None else round(run.wall_time_secs * _MS),
            "due_shard": None if run.due_at_ms is None else due_shard(run.run_id),
        }
    )


def to_run(row: Mapping[str, Any]) -> Run:
    """Return the run of a row."""
    wall_time_ms = row.get("wall_time_ms")
    return read(Run, {**row, "wall_time_secs": None if wall_time_ms is None else wall_time_ms / _MS})
