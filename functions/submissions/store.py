"""The table of submissions: its keys and indexes, the Idempotency-Keys, and every change of a row.

Every state change is one conditional write. A claim of an Idempotency-Key is written and deleted in one transaction
with its submission's row.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.conditional import ABSENT, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, Value, from_item, is_condition_failure, key, to_item
from functions.aws.dynamodb.row_codec import read, to_json, write
from functions.aws.dynamodb.table import Table, due_shard, read_rows, tries
from functions.aws.dynamodb.transaction import transact, transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import UnavailableError
from functions.submissions.model import (
    CLAIM_SECS,
    COMPILE_BUDGET_SECS,
    JUDGE_SILENCE_SECS,
    RUN_GRACE_SECS,
    Claim,
    Completion,
    Kind,
    Status,
    Submission,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


SUBMISSION_SK = "SUBMISSION"
LIST_SHARDS = 8
"""Partitions of a project's list. One partition takes about 1,000 writes a second, and each run writes it twice."""

JUDGE_SUMMARY_START = to_json({"kind": Kind.JUDGE.value}).rstrip("}")
"""The attribute `summary` of a judge run begins with this, and that of a run does not. Lists filter by it (ADR 21)."""

_ENDED_FIELDS = {each.name for each in fields(Completion)} & {each.name for each in fields(Submission)}
"""What a completion says of its submission in the same words."""


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


def run_budget_ms(row: Submission) -> int:
    """Return the time in `running` after which the sweeper repeats the run. Progress of a judge run begins it anew."""
    return JUDGE_SILENCE_SECS * MS_PER_SEC if row.kind is Kind.JUDGE else _whole_budget_ms(row)


def repeat_budget_ms(row: Submission) -> int:
    """Return the same of a repeated run. That of a judge run may wait for long before it sends progress."""
    return max(run_budget_ms(row), _whole_budget_ms(row))


def _whole_budget_ms(row: Submission) -> int:
    return (COMPILE_BUDGET_SECS + row.wall_budget_secs + RUN_GRACE_SECS) * MS_PER_SEC


def encode_submission(row: Submission) -> dict[str, AttributeValueTypeDef]:
    """Return the whole item. `run_budget_ms` lets `mark_started` set the due time in one update."""
    is_listed = row.kind is not Kind.TRANSFORM
    return to_item(
        {
            **write(row),
            "pk": submission_pk(row.submission_id),
            "sk": SUBMISSION_SK,
            "list_shard": list_shard(row.project_id, int(row.submission_id[-1], 16) % LIST_SHARDS)
            if is_listed
            else None,
            "list_key": created_key(row.created_at, row.submission_id) if is_listed else None,
            "due_shard": due_shard(row.submission_id) if row.due_at_ms is not None else None,
            "run_budget_ms": run_budget_ms(row),
        }
    )


def with_completion(row: Submission, completion: Completion) -> Submission:
    """Return the row in its final state. It is not due, has no source, and its webhook secret is in its delivery."""
    judged = {} if completion.judged is None else {"judged": completion.judged}
    said = {} if completion.line is None else {"line": completion.line}
    summary = {**(row.summary or {}), "result": completion.result, "metrics": completion.metrics, **judged, **said}
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
        files=(),
        sealed_secrets=(),
        environment=None,
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
    *("code", "stdin", "judging", "judging_object", "files", "compile_args", "sealed_secrets"),
    *("run_budget_ms", "wall_budget_secs", "artifact_patterns"),
)
"""Attributes that the final state removes. A final run never runs again: its source would make each read larger."""


def submission_of(values: Mapping[str, Any]) -> Submission:
    """Return the submission of a row, or of an index entry: fields that the index does not project are empty."""
    return read(Submission, values)


CLAIM_SK = "CLAIM"
KEY_CONTENDED = "Too many requests with this Idempotency-Key at once. Repeat the request."


class ClaimTakenError(Exception):
    """The Idempotency-Key belongs to another submission: `submission_id`, with the body `body_sha256`."""

    def __init__(self, submission_id: str, body_sha256: str) -> None:
        super().__init__("the idempotency key is taken")
        self.submission_id = submission_id
        self.body_sha256 = body_sha256


class SubmissionStore(Table):
    """The submissions table. Reads are consistent."""

    table_setting = "submissions_table"

    def create(self, new: Submission, claim: Claim | None) -> None:
        """Write a pending row and its claim in one transaction. Raises ClaimTakenError, UnavailableError."""
        put_row = put(self.table_name, encode_submission(new), ABSENT)
        if claim is None:
            self._create_alone(put_row["Put"])
            return
        put_claim = self._new_claim(new.submission_id, claim)
        for _ in tries(sleep=self._sleep):
            refusal = transact(self._client, {"claim": put_claim, "row": put_row})
            if refusal is None:
                return
            self.check_claim(claim, except_for=new.submission_id)
            if "row" in refusal.failed:
                return  # our own row: botocore retried the write after a lost answer
            # Else another transaction on the same key is in progress, or its submission was just deleted.
        raise UnavailableError(KEY_CONTENDED, 1)

    def new_final(self, final: Submission, claim: Claim | None) -> list[Any]:
        """Return the actions that write a new final row and its claim, if neither exists."""
        put_row = put(self.table_name, encode_submission(final), ABSENT)
        if claim is None:
            return [put_row]
        return [put_row, self._new_claim(final.submission_id, claim)]

    def final_update(self, final: Submission, completion: Completion, *, only_pending: bool = False) -> Any:
        """Return the action that writes the final state into an existing row, unless that is final.

        `only_pending`: nor unless a run of it has begun.
        """
        values: dict[str, Value] = {"pending": Status.PENDING.value}
        condition = "#status = :pending"
        if not only_pending:
            condition, values = "#status IN (:pending, :running)", values | {"running": Status.RUNNING.value}
        update = ConditionalUpdate(final_values(final, completion), condition, values, FINAL_REMOVES)
        return update.action(self.table_name, submission_key(final.submission_id))

    def transform_end(self, row: Submission) -> Any:
        """Return the action that removes a transform, whose end is the body of its delivery, unless it has ended."""
        values: dict[str, Value] = {"pending": Status.PENDING.value, "running": Status.RUNNING.value}
        at = submission_key(row.submission_id)
        return delete(self.table_name, at, "#status IN (:pending, :running)", values)

    def check_claim(self, claim: Claim, *, except_for: str | None = None) -> None:
        """Raise ClaimTakenError if the key belongs to a submission other than `except_for`."""
        answer = self._client.get_item(
            TableName=self.table_name, Key=key(claim.idempotency_pk, CLAIM_SK), ConsistentRead=True
        )
        taken = from_item(answer.get("Item", {}))
        if taken and taken["ttl"] > self._clock() // MS_PER_SEC and taken["submission_id"] != except_for:
            raise ClaimTakenError(taken["submission_id"], taken["body_sha256"])

    def _new_claim(self, submission_id: str, claim: Claim) -> Any:
        """Return the action that puts a claim, on condition that nobody holds its key."""
        now_secs = self._clock() // MS_PER_SEC
        item: dict[str, Value | None] = {
            "pk": claim.idempotency_pk,
            "sk": CLAIM_SK,
            "submission_id": submission_id,
            "body_sha256": claim.body_sha256,
            "ttl": now_secs + CLAIM_SECS,
        }
        # DynamoDB deletes expired items late; we treat them as deleted.
        condition = f"{ABSENT} OR #ttl <= :now OR submission_id = :replaced"
        return put(self.table_name, to_item(item), condition, {"now": now_secs, "replaced": claim.replaces or ""})

    def get_all(self, submission_ids: Sequence[str]) -> dict[str, Submission]:
        keys = [submission_key(submission_id) for submission_id in submission_ids]
        rows = (submission_of(row) for row in read_rows(self._client, self.table_name, keys))
        return {row.submission_id: row for row in rows}

    def get(self, submission_id: str) -> Submission | None:
        """Return the row, expired or not."""
        row = self._get(submission_key(submission_id))
        return submission_of(row) if row is not None else None

    def mark_started(self, submission_id: str, execution_id: str, node_id: str, started_at: str) -> bool:
        """Pending -> running, due at the end of its time budget. False if it was not pending."""
        sets: dict[str, Value] = {
            "status": Status.RUNNING.value,
            "execution_id": execution_id,
            "node_id": node_id,
            "started_at": started_at,
            "due_shard": due_shard(submission_id),
        }
        values: dict[str, Value] = {"was": Status.PENDING.value, "now": self._clock()}
        due = ("#due_at_ms = #run_budget_ms + :now",)
        return self._change(submission_id, ConditionalUpdate(sets, "#status = :was", values, computed=due))

    def mark_cancelled(self, submission_id: str, due_at_ms: int) -> None:
        """Mark a row that is not final as cancelled, and due. A repeat changes nothing."""
        sets: dict[str, Value] = {
            "cancelled_at": to_rfc3339(self._clock()),
            "due_at_ms": due_at_ms,
            "due_shard": due_shard(submission_id),
        }
        values: dict[str, Value] = {"pending": Status.PENDING.value, "running": Status.RUNNING.value}
        condition = "#status IN (:pending, :running) AND attribute_not_exists(#cancelled_at)"
        self._change(submission_id, ConditionalUpdate(sets, condition, values))

    def note_queued(self, submission_id: str, due_at_ms: int) -> None:
        """Clear the flag of a direct run and set the due time, after a message was queued."""
        update = ConditionalUpdate(
            {"due_at_ms": due_at_ms},
            "#status = :pending AND attribute_exists(#asked_directly)",
            {"pending": Status.PENDING.value},
            ("asked_directly",),
        )
        self._change(submission_id, update)

    def take(self, submission_id: str, due_at_ms: int, seen_due_at_ms: int) -> Submission | None:
        """Move the due time and return the row. None if another process moved it first, or the row is not due."""
        row = self._take(submission_key(submission_id), seen_due_at_ms, due_at_ms)
        return submission_of(row) if row is not None else None

    def redrive(self, submission_id: str, execution_id: str, due_at_ms: int, expected_due_at_ms: int) -> bool:
        """Write a new execution id. False if the row is final, or another process moved its due time first."""
        update = ConditionalUpdate(
            {"execution_id": execution_id, "due_at_ms": due_at_ms, "sent_again_at": to_rfc3339(self._clock())},
            "#due_at_ms = :expected AND #status IN (:pending, :running)",
            {
                "expected": expected_due_at_ms,
                "pending": Status.PENDING.value,
                "running": Status.RUNNING.value,
                "one": 1,
            },
            computed=("#redrives = #redrives + :one",),
        )
        return self._change(submission_id, update)

    def due(self, shard: str, now_ms: int, limit: int) -> list[tuple[str, int]]:
        """Return (submission id, due_at_ms) of rows due by `now_ms`, oldest first."""
        return [(submission_id_of(row["pk"]), row["due_at_ms"]) for row in self._due(shard, now_ms, limit)]

    def projects_of(self, submission_ids: list[str]) -> dict[str, str]:
        keys = [submission_key(submission_id) for submission_id in submission_ids]
        rows = read_rows(self._client, self.table_name, keys, ("pk", "project_id"))
        return {submission_id_of(row["pk"]): row["project_id"] for row in rows}

    def delete(self, row: Submission) -> bool:
        """Delete the row and its claim. False if it is running or gone. Raises RowsContendedError."""
        at, values = submission_key(row.submission_id), {"running": Status.RUNNING.value, "project": row.project_id}
        remove = delete(self.table_name, at, "#status <> :running AND project_id = :project", values)
        if row.idempotency_pk is not None:
            # After the expiry the claim may belong to a later submission.
            condition, own_id = f"{ABSENT} OR submission_id = :id", {"id": row.submission_id}
            release = delete(self.table_name, key(row.idempotency_pk, CLAIM_SK), condition, own_id)
            refusal = transact_or_raise(self._client, {"row": remove, "claim": release})
            if refusal is None or "row" in refusal.failed:
                return refusal is None
        try:
            self._client.delete_item(**remove["Delete"])
        except ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True

    def _create_alone(self, arguments: Any) -> None:
        try:
            self._client.put_item(**arguments)
        except ClientError as error:
            # The id is random, so an existing row is our own: botocore retried the write after a lost answer.
            if not is_condition_failure(error):
                raise

    def _change(self, submission_id: str, update: ConditionalUpdate) -> bool:
        return self._update_unread(update, submission_key(submission_id))
