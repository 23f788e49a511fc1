"""The last heartbeat of every runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import from_item, is_condition_failure, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms
from functions.fresh_cache import FreshCache
from functions.messages.wire import RunnerHeartbeat

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECS = 86_400
LIVE_MS = 60_000
_FRESH_MS = 3_000
_PK = "RUNNER"


@dataclass(frozen=True, slots=True)
class SeenRunner:
    """A heartbeat and its age, counted from sending or arrival, whichever is earlier."""

    heartbeat: RunnerHeartbeat
    age_ms: int

    @property
    def is_live(self) -> bool:
        """True if the heartbeat is younger than a minute. A draining runner has no slots and is not live."""
        return self.age_ms < LIVE_MS and self.heartbeat.slots > 0


class RunnerStore(Table):
    """The runners table."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._recent = FreshCache[str, list[SeenRunner]](_FRESH_MS, 1, clock)

    def put_heartbeat(self, heartbeat: RunnerHeartbeat) -> None:
        """Store a heartbeat for 24 h, unless the node has a later one."""
        now = self._clock()
        item = to_item(
            {
                "pk": _PK,
                "sk": f"NODE#{heartbeat.node_id}",
                "heartbeat": heartbeat.serialise(),
                "sent_at": heartbeat.sent_at,
                "seen_at_ms": now,
                "ttl": now // MS_PER_SEC + KEPT_SECS,
            }
        )
        try:
            self._client.put_item(
                TableName=self.table_name,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR sent_at <= :sent",
                ExpressionAttributeValues={":sent": {"S": heartbeat.sent_at}},
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise

    def list_recent(self) -> list[SeenRunner]:
        """Return the runners with a heartbeat in the last 24 h, latest first."""
        now = self._clock()
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _PK}},
        )
        rows = [from_item(item) for page in pages for item in page["Items"]]
        seen = [
            SeenRunner(
                RunnerHeartbeat.parse(row["heartbeat"]),
                age_ms=max(0, now - min(row["seen_at_ms"], from_rfc3339(row["sent_at"]))),
            )
            for row in rows
        ]
        recent = [runner for runner in seen if runner.age_ms < KEPT_SECS * MS_PER_SEC]
        return sorted(recent, key=lambda runner: runner.age_ms)

    def recent(self) -> list[SeenRunner]:
        """Like `list_recent`, cached for three seconds."""
        seen = self._recent.get(_PK)
        return self._recent.keep(_PK, self.list_recent()) if seen is None else seen
