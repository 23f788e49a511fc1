"""The right to do the gathered fan-outs: one at a time has it, so that no run is put on the bus twice.

One item of the submissions table: until_ms and owner while somebody has it, again if somebody else came meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, key
from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE_MS = 35_000
"""Longer than an invocation of `record` can live."""
_KEY = key("GATHERING", "LEASE")
_TRIES = 3
_IS_FREE = "attribute_not_exists(#until_ms) OR #until_ms < :now"


class GatheringLease:
    """The item. `clock` gives epoch milliseconds."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table_name = table_name
        self._client = client
        self._clock = clock

    def take(self, owner: str) -> bool:
        """Get it; False if another has it, who then looks again."""
        for _ in range(_TRIES):
            now = self._clock()
            mine: dict[str, Value] = {"until_ms": now + LEASE_MS, "owner": owner}
            if self._write(ConditionalUpdate(mine, _IS_FREE, {"now": now}, ("again",))):
                return True
            if self._write(ConditionalUpdate({"again": True}, "#until_ms >= :now", {"now": now})):
                return False
        return False

    def give_up(self, owner: str) -> bool:
        """Let go of it. False if somebody came meanwhile: then it is kept, and its owner must look again."""
        condition = "#owner = :mine AND attribute_not_exists(#again)"
        if self._write(ConditionalUpdate({}, condition, {"mine": owner}, ("until_ms", "owner"))):
            return True
        kept = ConditionalUpdate({"until_ms": self._clock() + LEASE_MS}, "#owner = :mine", {"mine": owner}, ("again",))
        return not self._write(kept)

    def abandon(self, owner: str) -> None:
        """Let go of it whoever came meanwhile: what is due is reminded of again, or swept."""
        self._write(ConditionalUpdate({}, "#owner = :mine", {"mine": owner}, ("until_ms", "owner", "again")))

    def _write(self, update: ConditionalUpdate) -> bool:
        return update.is_applied(self._client, self._table_name, _KEY)
