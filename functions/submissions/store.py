"""Submissions and idempotency claims in their table. Every state change is one conditional write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.conditional import ABSENT, ConditionalUpdate, put
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Value, is_condition_failure
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import UnavailableError
from functions.submissions.claims import delete_with_claim, find_claim, new_claim
from functions.submissions.model import Claim, Completion, Status, Submission
from functions.submissions.rows import (
    FINAL_REMOVES,
    encode_submission,
    final_values,
    submission_id_of,
    submission_key,
    submission_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_CONTENDED = "Too many requests with this Idempotency-Key at once. Repeat the request."


class ClaimTakenError(Exception):
    """The Idempotency-Key belongs to another submission: `submission_id`, with the body `body_sha256`."""

    def __init__(self, submission_id: str, body_sha256: str) -> None:
        super().__init__("the idempotency key is taken")
        self.submission_id = submission_id
        self.body_sha256 = body_sha256


class SubmissionStore(Table):
    """The submissions table. Reads are consistent."""

    def create(self, new: Submission, claim: Claim | None) -> None:
        """Write a pending row and its claim in one transaction. Raises ClaimTakenError, UnavailableError."""
        put_row = put(self.table_name, encode_submission(new), ABSENT)
        if claim is None:
            self._create_alone(put_row["Put"])
            return
        put_claim = new_claim(self.table_name, new.submission_id, claim, self._clock() // MS_PER_SEC)
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
        return [put_row, new_claim(self.table_name, final.submission_id, claim, self._clock() // MS_PER_SEC)]

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

    def check_claim(self, claim: Claim, *, except_for: str | None = None) -> None:
        """Raise ClaimTakenError if the key belongs to a submission other than `except_for`."""
        taken = find_claim(self._client, self.table_name, claim.idempotency_pk, self._clock() // MS_PER_SEC)
        if taken is not None and taken[0] != except_for:
            raise ClaimTakenError(*taken)

    def get_all(self, submission_ids: Sequence[str]) -> dict[str, Submission]:
        """Read distinct submissions, by id, without missing ones."""
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
        """Return the project of each submission, without deleted ones."""
        keys = [submission_key(submission_id) for submission_id in submission_ids]
        rows = read_rows(self._client, self.table_name, keys, ("pk", "project_id"))
        return {submission_id_of(row["pk"]): row["project_id"] for row in rows}

    def delete(self, row: Submission) -> bool:
        """Delete the row and its claim. False if it is running or gone."""
        return delete_with_claim(self._client, self.table_name, row)

    def _create_alone(self, arguments: Any) -> None:
        try:
            self._client.put_item(**arguments)
        except ClientError as error:
            # The id is random, so an existing row is our own: botocore retried the write after a lost answer.
            if not is_condition_failure(error):
                raise

    def _change(self, submission_id: str, update: ConditionalUpdate) -> bool:
        return self._update_unread(update, submission_key(submission_id))
