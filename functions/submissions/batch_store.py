"""Final rows with batched fan-outs: read, and mark as done, up to 100 in one call."""

from __future__ import annotations

import time
from itertools import batched
from random import SystemRandom
from typing import TYPE_CHECKING

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.transaction import CONFLICT, transact
from functions.submissions.due import FANOUT_DONE, list_due, row_key
from functions.submissions.model import BATCH_SHARDS
from functions.submissions.rows import submission_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.submissions.model import Submission

_ROWS_PER_CALL = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
_TRIES = 6
_LONGEST_PAUSE_SECS = 0.05
_NO_REASON = "None"


class BatchStore:
    """Rows with batched fan-outs in the submissions table."""

    def __init__(self, table_name: str, client: DynamoDBClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self._table_name = table_name
        self._client = client
        self._sleep = sleep

    def due(self, now_ms: int, limit_per_shard: int) -> list[Submission]:
        """Return the current rows of all index entries due by `now_ms`."""
        keys = [
            row_key(row_id)
            for shard in BATCH_SHARDS
            for row_id, _ in list_due(self._client, self._table_name, shard, now_ms, limit_per_shard)
        ]
        return [submission_of(values) for values in read_rows(self._client, self._table_name, keys)]

    def finish(self, submission_ids: Sequence[str]) -> None:
        """Mark fan-outs as done. A missing row is no error; a row with too many write conflicts stays due."""
        for some in batched(submission_ids, _ROWS_PER_CALL, strict=False):
            left = list(some)
            for _ in range(_TRIES):
                if not left:
                    break
                codes = transact(
                    self._client, [FANOUT_DONE.action(self._table_name, row_key(row_id)) for row_id in left]
                )
                # One failed condition cancels all, so we repeat the call without the failed ones.
                left = [
                    row_id for row_id, code in zip(left, codes, strict=bool(codes)) if code in {_NO_REASON, CONFLICT}
                ]
                if CONFLICT in codes:
                    self._sleep(SystemRandom().uniform(0, _LONGEST_PAUSE_SECS))
