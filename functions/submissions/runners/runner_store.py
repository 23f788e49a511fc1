"""The last heartbeat of every runner, and a summary of all in one row.

Each stored heartbeat renews the summary when it is due. So readers need one row for any number of runners.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import from_item, is_condition_failure, key, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms
from functions.messages.wire import RunnerHeartbeat
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECS = 86_400
LIVE_MS = 60_000
UNABLE_MS = 300_000
_FRESH_MS = 3_000
_PK = "RUNNER"
_SUMMARY_PK, _SUMMARY_SK = "RUNNERS", "SUMMARY"
ALWAYS_SUMMED, MS_FOR_EACH, LONGEST_PAUSE_MS = 50, 10, 20_000
"""Up to 50 runners each heartbeat renews the summary. Of 1,000, one does in 9.5 s: it reads their rows, a megabyte."""
_SUMMARY_MAX_BYTES = 100_000
"""A larger summary leaves out groups of runners that cannot work, then those of the oldest heartbeats.

A fleet of one version has about 1,000 bytes.
"""


@dataclass(frozen=True, slots=True)
class SeenRunner:
    """A heartbeat and its age, counted from sending or arrival, whichever is earlier."""

    heartbeat: RunnerHeartbeat
    age_ms: int

    @property
    def is_live(self) -> bool:
        """True if the heartbeat is younger than a minute. A draining runner has no slots and is not live."""
        return self.is_recent and self.heartbeat.slots > 0

    @property
    def is_recent(self) -> bool:
        """True if the heartbeat is younger than a minute."""
        return self.age_ms < LIVE_MS

    @property
    def is_unable(self) -> bool:
        """True if the runner said in the last five minutes that it cannot work. Restarts are a minute apart at most."""
        return self.age_ms < UNABLE_MS and self.heartbeat.problem is not None


class RunnerStore(Table):
    """The runners table."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._recent = TtlCache[str, list[SeenRunner]](_FRESH_MS, 1, clock)

    def put_heartbeat(self, heartbeat: RunnerHeartbeat) -> None:
        """Store a heartbeat for 24 h, unless the node has a later one. Then renew the summary if it is due."""
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
        else:
            self._renew_summary(now)

    def list_recent(self) -> list[SeenRunner]:
        """Return the runners with a heartbeat in the last 24 h, latest first. Reads the rows of all."""
        now = self._clock()
        runners = [
            SeenRunner(
                RunnerHeartbeat.parse(row["heartbeat"]),
                age_ms=max(0, now - min(row["seen_at_ms"], from_rfc3339(row["sent_at"]))),
            )
            for row in self._list(_PK)
        ]
        return _latest_first(runners)

    def list_groups(self) -> list[SeenRunner]:
        """Like `list_recent`, from the summary: see `group`. The age of a group is that of its latest heartbeat."""
        summary = self._read_summary()
        if not summary:  # no heartbeat has come since the revision without it
            return group(self.list_recent())
        now = self._clock()
        groups = json.loads(summary["groups"])
        return _latest_first(SeenRunner(RunnerHeartbeat.parse(text), max(0, now - ms)) for text, ms in groups)

    def recent(self) -> list[SeenRunner]:
        """Like `list_groups`, cached for three seconds."""
        return self._recent.get_or_load(_PK, self.list_groups)

    def _read_summary(self) -> Mapping[str, Any]:
        answer = self._client.get_item(TableName=self.table_name, Key=key(_SUMMARY_PK, _SUMMARY_SK))
        return from_item(answer.get("Item", {}))

    def _renew_summary(self, now: int) -> None:
        summary = self._read_summary()
        if summary:
            pause_ms = min((summary["runners"] - ALWAYS_SUMMED) * MS_FOR_EACH, LONGEST_PAUSE_MS)
            if 0 <= now - summary["summed_at_ms"] < pause_ms:
                return
        runners = self.list_recent()
        # Runners that cannot work come last: their texts may all differ.
        merged = sorted(group(runners), key=lambda each: each.heartbeat.problem is not None)
        groups = [(each.heartbeat.serialise(), now - each.age_ms) for each in merged]
        while len(text := json.dumps(groups)) > _SUMMARY_MAX_BYTES:
            groups.pop()
        item = to_item(
            {
                "pk": _SUMMARY_PK,
                "sk": _SUMMARY_SK,
                "summed_at_ms": now,
                "runners": len(runners),
                "groups": text,
                "ttl": now // MS_PER_SEC + KEPT_SECS,
            }
        )
        try:
            self._client.put_item(
                TableName=self.table_name,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR summed_at_ms <= :now OR summed_at_ms > :ahead",
                ExpressionAttributeValues=to_item({":now": now, ":ahead": now + LIVE_MS}),
            )
        except ClientError as error:
            if not is_condition_failure(error):  # else another process has read the rows after this one
                raise


def group(runners: Iterable[SeenRunner]) -> list[SeenRunner]:
    """Merge runners, given latest first, that report the same. A group has their slots and the latest's node id."""
    groups: dict[object, SeenRunner] = {}
    for runner in runners:
        one = runner.heartbeat
        toolchains = tuple(sorted(one.toolchains.items()))
        packages = tuple(sorted((one.packages or {}).items()))
        isolation = (one.isolation_mode, one.cgroup_backend, one.namespace_support)
        same = (one.languages, toolchains, packages, isolation, one.problem, one.network_support)
        slots = one.slots if runner.is_live else 0
        first = groups.get((runner.is_live, same), SeenRunner(one.model_copy(update={"slots": 0}), runner.age_ms))
        merged = first.heartbeat.model_copy(update={"slots": first.heartbeat.slots + slots})
        groups[runner.is_live, same] = SeenRunner(merged, first.age_ms)
    return list(groups.values())


def _latest_first(seen: Iterable[SeenRunner]) -> list[SeenRunner]:
    recent = [runner for runner in seen if runner.age_ms < KEPT_SECS * MS_PER_SEC]
    return sorted(recent, key=lambda runner: runner.age_ms)
