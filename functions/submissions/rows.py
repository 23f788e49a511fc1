"""Convert submissions to table items and back."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Key, key, to_item
from functions.aws.dynamodb.row_codec import read, to_json, write
from functions.clock import MS_PER_SEC
from functions.submissions.model import COMPILE_BUDGET_SECS, RUN_GRACE_SECS, Completion, Kind, Submission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from functions.aws.dynamodb.items import Value

SUBMISSION_SK = "SUBMISSION"
LIST_SHARDS = 8
"""Partitions of a project's list. One partition takes about 1,000 writes a second, and each run writes it twice."""

JUDGE_SUMMARY_START = to_json({"kind": Kind.JUDGE.value}).rstrip("}")
"""The attribute `summary` of a judge run begins with this, and that of a run does not. Lists filter by it (ADR 21)."""

_ENDED_FIELDS = {each.name for each in fields(Completion)} & {each.name for each in fields(Submission)}
"""What a completion says of its submission in the same words."""
_NOT_PROJECTED = {"priority": "batch", "execution_id": "", "wall_budget_secs": 0}
"""Needed fields that the list indexes do not have. A final row has no time budget either."""


def submission_id_of(pk: str) -> str:
    """Return the submission id of a partition key."""
    return pk.removeprefix("SUBMISSION#")


def submission_pk(submission_id: str) -> str:
    """Return the partition key of a submission."""
    return f"SUBMISSION#{submission_id}"


def submission_key(submission_id: str) -> Key:
    """Return the primary key of a submission."""
    return key(submission_pk(submission_id), SUBMISSION_SK)


def created_key(created_at: str, submission_id: str) -> str:
    """Return the sort key of the list indexes; the newest is the greatest."""
    return f"{created_at}#{submission_id}"


def list_shard(project_id: str, number: int) -> str:
    """Return one of the partitions of a project in the index `by_project_shard`."""
    return f"{project_id}#{number}"


def run_budget_ms(wall_budget_secs: int) -> int:
    """Return the time in `running` after which the sweeper repeats the run."""
    return (COMPILE_BUDGET_SECS + wall_budget_secs + RUN_GRACE_SECS) * MS_PER_SEC


def encode_submission(row: Submission) -> dict[str, AttributeValueTypeDef]:
    """Return the whole item. `run_budget_ms` lets `mark_started` set the due time in one update."""
    return to_item(
        {
            **write(row),
            "pk": submission_pk(row.submission_id),
            "sk": SUBMISSION_SK,
            "list_shard": list_shard(row.project_id, int(row.submission_id[-1], 16) % LIST_SHARDS),
            "list_key": created_key(row.created_at, row.submission_id),
            "due_shard": due_shard(row.submission_id) if row.due_at_ms is not None else None,
            "run_budget_ms": run_budget_ms(row.wall_budget_secs),
        }
    )


def with_completion(row: Submission, completion: Completion) -> Submission:
    """Return the row in its final state. It is not due, has no source, and its webhook secret is in its delivery."""
    judged = {} if completion.judged is None else {"judged": completion.judged}
    summary = {**(row.summary or {}), "result": completion.result, "metrics": completion.metrics, **judged}
    return replace(
        row,
        **_ended(completion),
        status=completion.status,
        verdict=completion.verdict,
        summary=summary,
        code=None,
        stdin=None,
        judging=None,
        judging_object=None,
        files=None,
        compile_args=(),
        wall_budget_secs=0,
        due_at_ms=None,
        asked_directly=False,
        webhook_secret_box=None,
        environment_box=None,
        artifact_patterns=None,
    )


def final_values(final: Submission, completion: Completion) -> dict[str, Value]:
    """Return the attributes that the final state sets."""
    names = {"status", "verdict", "summary", *_ended(completion)}
    return {name: value for name, value in write(final).items() if name in names}


def _ended(completion: Completion) -> dict[str, Any]:
    """Return the fields that a completion sets. The others keep their values."""
    values = {name: getattr(completion, name) for name in _ENDED_FIELDS}
    return {name: value for name, value in values.items() if value not in (None, ())}


FINAL_REMOVES = (
    *("due_shard", "due_at_ms", "asked_directly", "webhook_secret_box", "environment_box"),
    *("code", "stdin", "judging", "judging_object", "files", "compile_args"),
    *("run_budget_ms", "wall_budget_secs", "artifact_patterns"),
)
"""Attributes that the final state removes. A final run never runs again: its source would make each read larger."""


def submission_of(values: Mapping[str, Any]) -> Submission:
    """Return the submission of a row, or of an index entry: fields that the index does not project are empty."""
    return read(Submission, {**_NOT_PROJECTED, **values})
