"""Submissions and idempotency claims in their table. Every state change is one conditional write."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Value, is_condition_failure, to_item
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.errors import UnavailableError
from functions.submissions.claims import delete_with_claim, find_claim, put_with_claim
from functions.submissions.due import FANOUT_DONE, list_due, list_projects, row_key
from functions.submissions.model import Claim, Completion, Fanout, Status, Submission, batch_shard, event_id_for
from functions.submissions.rows import decode_submission, encode_submission, to_json, with_completion
from functions.webhooks.event_types import EVENT_COMPLETED

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

_CONFLICT_ATTEMPTS = 5


class ClaimTakenError(Exception):
    """The Idempotency-Key belongs to another submission: `submission_id`, with the body `body_sha256`."""

    def __init__(self, submission_id: str, body_sha256: str) -> None:
        super().__init__("the idempotency key is taken")
        self.submission_id = submission_id
        self.body_sha256 = body_sha256


class SubmissionStore:
    """The submissions table. Reads are consistent. `clock` gives epoch milliseconds."""

    def __init__(
        self,
        table_name: str,
        client: DynamoDBClient,
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table_name = table_name
        self._client = client
        self._clock = clock
        self._sleep = sleep

    def create(self, new: Submission, claim: Claim | None) -> None:
        """Write a pending row and its claim in one transaction. Raises ClaimTakenError, UnavailableError."""
        # The id is random, so an existing row is our own: boto3 retried the write after a lost answer.
        self._put(new.submission_id, encode_submission(new), claim)

    def create_final(
        self, new: Submission, completion: Completion, claim: Claim | None, *, is_batched: bool
    ) -> Submission:
        """Write a new row in its final state and its claim, in one transaction.

        The row has neither code nor input, because it never runs again. `is_batched` as in `commit_final`.
        Raises ClaimTakenError, UnavailableError.
        """
        values = self._final_values(new.submission_id, completion, is_batched=is_batched)
        final = with_completion(replace(new, code=None, stdin=None, asked_directly=False), completion, values)
        item = {**encode_submission(final), **to_item({"due_shard": values["due_shard"]})}
        if self._put(new.submission_id, item, claim):
            return final
        # The row exists: boto3 retried this write, or a pending row was written although its write seemed to fail.
        committed = self.commit_final(new.submission_id, completion, is_batched=is_batched, known=new)
        return committed or self.get(new.submission_id) or final

    def check_claim(self, claim: Claim) -> None:
        """Raise ClaimTakenError if the key belongs to a submission."""
        taken = find_claim(self._client, self._table_name, claim.idempotency_pk, self._clock() // MS_PER_SEC)
        if taken is not None:
            raise ClaimTakenError(*taken)

    def get(self, submission_id: str) -> Submission | None:
        """Return the row, expired or not."""
        answer = self._client.get_item(TableName=self._table_name, Key=row_key(submission_id), ConsistentRead=True)
        return decode_submission(answer["Item"]) if "Item" in answer else None

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

    def commit_final(
        self,
        submission_id: str,
        completion: Completion,
        *,
        is_batched: bool = False,
        known: Submission | None = None,
    ) -> Submission | None:
        """Write the final state, with its fan-out due. None if the row is gone or was final already.

        `is_batched`: the fan-out is batched (`batched_fan_out`). `known`: the row, if the caller wrote it; it is then
        not read back.
        """
        present = self._final_values(submission_id, completion, is_batched=is_batched)
        values: dict[str, Value] = {"pending": Status.PENDING.value, "running": Status.RUNNING.value}
        update = ConditionalUpdate(present, "#status IN (:pending, :running)", values)
        if known is not None:
            is_applied = update.is_applied(self._client, self._table_name, row_key(submission_id))
            return with_completion(known, completion, present) if is_applied else None
        item = update.apply(self._client, self._table_name, row_key(submission_id))
        return decode_submission(item) if item is not None else None

    def note_queued(self, submission_id: str, due_at_ms: int) -> None:
        """Clear the flag of a direct run and set the due time, after a message was queued."""
        update = ConditionalUpdate(
            {"due_at_ms": due_at_ms},
            "#status = :pending AND attribute_exists(#asked_directly)",
            {"pending": Status.PENDING.value},
            ("asked_directly",),
        )
        self._change(submission_id, update)

    def finish_fanout(self, submission_id: str) -> None:
        """Mark the fan-out as done. The row is not due any more."""
        self._change(submission_id, FANOUT_DONE)

    def defer(self, submission_id: str, due_at_ms: int, expected_due_at_ms: int) -> bool:
        """Move the due time. False if another process moved it first."""
        update = ConditionalUpdate({"due_at_ms": due_at_ms}, "#due_at_ms = :expected", {"expected": expected_due_at_ms})
        return self._change(submission_id, update)

    def redrive(self, submission_id: str, execution_id: str, due_at_ms: int, expected_due_at_ms: int) -> bool:
        """Write a new execution id. False if the row is final, or another process moved its due time first."""
        update = ConditionalUpdate(
            {"execution_id": execution_id, "due_at_ms": due_at_ms},
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
        return list_due(self._client, self._table_name, shard, now_ms, limit)

    def projects_of(self, submission_ids: list[str]) -> dict[str, str]:
        """Return the project of each submission, without deleted ones."""
        return list_projects(self._client, self._table_name, submission_ids)

    def delete(self, row: Submission) -> bool:
        """Delete the row and its claim. False if it is running or gone."""
        return delete_with_claim(self._client, self._table_name, row)

    def _final_values(self, submission_id: str, completion: Completion, *, is_batched: bool) -> dict[str, Value]:
        sets: dict[str, Value | None] = {
            "status": completion.status.value,
            "completed_at": completion.completed_at,
            "started_at": completion.started_at,
            "node_id": completion.node_id,
            "execution_id": completion.execution_id,
            "verdict": completion.verdict,
            "summary": to_json({"result": completion.result, "metrics": completion.metrics}),
            "evidence": to_json(completion.evidence) if completion.evidence is not None else None,
            "integrity": completion.integrity,
            "stdout": completion.stdout,
            "stdout_key": completion.stdout_key,
            "stdout_size_bytes": completion.stdout_size_bytes,
            "stderr": completion.stderr,
            "stderr_key": completion.stderr_key,
            "stderr_size_bytes": completion.stderr_size_bytes,
            "event_id": event_id_for(submission_id, EVENT_COMPLETED),
            "fanout": Fanout.PENDING.value,
            "due_shard": batch_shard(submission_id) if is_batched else due_shard(submission_id),
            "due_at_ms": self._clock(),
        }
        return {name: value for name, value in sets.items() if value is not None}

    def _put(self, submission_id: str, item: Item, claim: Claim | None) -> bool:
        """Write a new row. False if it exists. Raises ClaimTakenError, UnavailableError."""
        if claim is None:
            return self._put_alone(item)
        for attempt in range(_CONFLICT_ATTEMPTS):
            if put_with_claim(self._client, self._table_name, item, submission_id, claim, self._clock() // MS_PER_SEC):
                return True
            try:
                self.check_claim(claim)
            except ClaimTakenError as taken:
                if taken.submission_id == submission_id:
                    return False
                raise
            # Another transaction on the same key is in progress.
            self._sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, no secret
        raise UnavailableError("Too many requests with this Idempotency-Key at once; repeat the request.", 1)

    def _put_alone(self, item: Item) -> bool:
        try:
            self._client.put_item(TableName=self._table_name, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return False
        return True

    def _change(self, submission_id: str, update: ConditionalUpdate) -> bool:
        return update.is_applied(self._client, self._table_name, row_key(submission_id))
