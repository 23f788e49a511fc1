"""The lease of the batched fan-outs: one batch at a time, so that no event is put on the bus twice.

One item of the submissions table: until_ms and owner while the lease is held; again if a later trigger was refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, key
from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE_MS = 35_000
"""Longer than the timeout of `record`."""
_KEY = key("GATHERING", "LEASE")
_TRIES = 3
_IS_FREE = "attribute_not_exists(#until_ms) OR #until_ms < :now"


class BatchLease:
    """The lease item. `clock` returns epoch milliseconds."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table_name = table_name
        self._client = client
        self._clock = clock

    def acquire(self, owner: str) -> bool:
        """Acquire the lease. False if another owner has it; that owner then reads the due rows again."""
        for _ in range(_TRIES):
            now = self._clock()
            mine: dict[str, Value] = {"until_ms": now + LEASE_MS, "owner": owner}
            if self._write(ConditionalUpdate(mine, _IS_FREE, {"now": now}, ("again",))):
                return True
            if self._write(ConditionalUpdate({"again": True}, "#until_ms >= :now", {"now": now})):
                return False
        return False

    def release(self, owner: str) -> bool:
        """Release the lease. False after a refused `acquire`: the owner keeps it and must read the due rows again."""
        condition = "#owner = :mine AND attribute_not_exists(#again)"
        if self._write(ConditionalUpdate({}, condition, {"mine": owner}, ("until_ms", "owner"))):
            return True
        kept = ConditionalUpdate({"until_ms": self._clock() + LEASE_MS}, "#owner = :mine", {"mine": owner}, ("again",))
        return not self._write(kept)

    def force_release(self, owner: str) -> None:
        """Release the lease in any case. The next trigger or the sweeper handles the remaining rows."""
        self._write(ConditionalUpdate({}, "#owner = :mine", {"mine": owner}, ("until_ms", "owner", "again")))

    def _write(self, update: ConditionalUpdate) -> bool:
        return update.is_applied(self._client, self._table_name, _KEY)
