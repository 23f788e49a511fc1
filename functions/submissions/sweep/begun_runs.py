"""Runs that have begun although they were accepted later: a message that they have overtaken is lost.

SQS roughly keeps the order of a project's messages. A wrong guess costs one more message, and its run changes nothing.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.items import from_item, to_item
from functions.submissions.rows import LIST_SHARDS, list_shard, submission_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ENTRIES_PER_SHARD = 25
"""200 runs in all: those that were accepted right after a lost one begin soon after its turn."""


class BegunRuns:
    """What one sweep knows of begun runs. It reads the index `by_project_shard`. Safe for threads."""

    def __init__(self, table_name: str, client: DynamoDBClient) -> None:
        self._table = table_name
        self._client = client
        self._newest: dict[tuple[str, str], str] = {}
        self._none_after: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def has_later(self, project_id: str, priority: str, sent_at: str) -> bool:
        """Whether a run of this project and queue that was accepted after `sent_at` has begun."""
        queue = (project_id, priority)
        with self._lock:
            if sent_at < self._newest.get(queue, ""):
                return True
            # Runs begin in order: where none of the next ones has begun, later ones have not either.
            if queue in self._none_after and sent_at >= self._none_after[queue]:
                return False
            newest = self._read(project_id, priority, sent_at)
            if newest is None:
                self._none_after[queue] = sent_at
            else:
                self._newest[queue] = newest
            return newest is not None

    def _read(self, project_id: str, priority: str, sent_at: str) -> str | None:
        """Return when the newest begun run among the next ones was accepted; None if none has begun."""
        begun = [
            entry["submission_id"]
            for number in range(LIST_SHARDS)
            for entry in self._begun(list_shard(project_id, number), sent_at)
        ]
        keys = [submission_key(submission_id) for submission_id in begun]
        rows = read_rows(self._client, self._table, keys, ("created_at", "priority"))
        return max((row["created_at"] for row in rows if row["priority"] == priority), default=None)

    def _begun(self, shard: str, sent_at: str) -> list[dict[str, str]]:
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_project_shard",
            KeyConditionExpression="list_shard = :shard AND list_key > :after",
            FilterExpression="attribute_exists(started_at)",
            ExpressionAttributeValues=to_item({":shard": shard, ":after": f"{sent_at}#~"}),
            Limit=_ENTRIES_PER_SHARD,
        )
        return [from_item(item) for item in answer["Items"]]
