"""Tables and objects of runners: heartbeats, tokens of other hosts, and what runners have to stop.

Each stored heartbeat renews a summary of all when it is due. So readers need one row for any number of runners.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from events.runner import RunnerHeartbeat
from functions.aws.clients import Clients
from functions.aws.dynamodb.conditional import ABSENT, EXISTS, ConditionalUpdate, put
from functions.aws.dynamodb.items import from_item, is_condition_failure, key, to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms, to_rfc3339
from functions.errors import UnavailableError
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from functions.aws.dynamodb.table import Row
    from functions.env import Env

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
        return self.age_ms < LIVE_MS

    @property
    def is_unable(self) -> bool:
        """True if the runner said in the last five minutes that it cannot work. Restarts are a minute apart at most."""
        return self.age_ms < UNABLE_MS and self.heartbeat.problem is not None


class RunnerStore(Table):
    """The runners table."""

    table_setting = "runners_table"

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
        first = groups.get((runner.is_live, same), SeenRunner(one.changed(slots=0), runner.age_ms))
        merged = first.heartbeat.changed(slots=first.heartbeat.slots + slots)
        groups[runner.is_live, same] = SeenRunner(merged, first.age_ms)
    return list(groups.values())


def _latest_first(seen: Iterable[SeenRunner]) -> list[SeenRunner]:
    recent = [runner for runner in seen if runner.age_ms < KEPT_SECS * MS_PER_SEC]
    return sorted(recent, key=lambda runner: runner.age_ms)


# Tokens with which runners of other hosts join a stack of one machine. Their rows are beside those of the runners.
#
# RUNNER_TOKENS    TOKEN#<name>    a token, by its name: it has one row, which its listener reads at each connection

PREFIX = "rbrunner"
MAX_TOKENS = 64
REVOKED_KEPT_SECS = 90 * 86_400
_TOKENS_PK = "RUNNER_TOKENS"
_SK_START = "TOKEN#"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class RunnerToken:
    """The stored properties of a token; the token itself is not stored. Times are RFC 3339."""

    name: str
    created_at: str
    revoked_at: str | None = None


class RunnerTokenStore(Table):
    """The tokens in the runners table."""

    table_setting = "runners_table"

    def create(self, name: str, also: Sequence[Any] = ()) -> tuple[RunnerToken, str] | None:
        """Create a token, also in place of a revoked one. None if there is one of this name.

        The token is returned only here. `also`: actions of the same transaction, here and below.
        """
        record = RunnerToken(name, to_rfc3339(self._clock()))
        token = f"{PREFIX}_{name}_{secrets.token_hex(_SECRET_BYTES)}"
        row = {"name": name, "created_at": record.created_at, "digest": hashlib.sha256(token.encode()).hexdigest()}
        item = {**key(_TOKENS_PK, _SK_START + name), **to_item(row)}
        new = put(self.table_name, item, f"{ABSENT} OR attribute_exists(#revoked_at)")
        return (record, token) if transact_or_raise(self._client, {"token": new, "also": also}) is None else None

    def list_all(self) -> list[RunnerToken]:
        """Return all tokens by name. A revoked one stays for 90 days, or until a new one has its name."""
        now_secs = self._clock() // MS_PER_SEC
        return [_record(row) for row in self._list(_TOKENS_PK, _SK_START) if row.get("ttl", now_secs) >= now_secs]

    def revoke(self, name: str, also: Sequence[Any] = ()) -> RunnerToken | None:
        """Revoke a token for good. Repeating it is safe. None if there is none."""
        now = self._clock()
        update = ConditionalUpdate(
            {},
            EXISTS,
            {"now": to_rfc3339(now), "ttl": now // MS_PER_SEC + REVOKED_KEPT_SECS},
            computed=(
                "#revoked_at = if_not_exists(#revoked_at, :now)",
                "#ttl = if_not_exists(#ttl, :ttl)",
            ),
        )
        action = update.action(self.table_name, key(_TOKENS_PK, _SK_START + name))
        if transact_or_raise(self._client, {"token": action, "also": also}) is not None:
            return None
        return next((each for each in self.list_all() if each.name == name), None)


def _record(row: Row) -> RunnerToken:
    values: dict[str, Any] = {name: row.get(name) for name in ("name", "created_at", "revoked_at")}
    return RunnerToken(**values)


# One small object for each runner: what it must stop, and whose output is watched. It reads no table, and polls this.
#
# `events/runner.py` reads it. Several functions write it, each on condition of what it has read.

KEPT_MS = 60_000
"""An entry stays for so long. A runner polls each second while a run lasts, so it has read it by then."""
MOST_ENTRIES = 500
WATCHED_MS = 30_000
"""How long a read of an output makes its runner put more of it."""
MOST_WATCHED = 200
_TRIES = 12
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_MISSING = {"NoSuchKey", "AccessDenied"}  # without ListBucket, AWS says the second


def control_key(node_id: str) -> str:
    """Return the key of a runner's object. A node id may have any characters, so the key has its hash."""
    return f"control/{hashlib.sha256(node_id.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class ControlObjects:
    """The control objects of all runners."""

    bucket: str
    client: Callable[[], S3Client]
    clock: Clock = now_ms
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def from_env(cls, env: Env) -> Self:
        return cls(env.settings.payloads_bucket, Clients.s3, env.clock)

    def cancel(self, node_id: str, submission_id: str) -> None:
        """Let a runner stop a submission. Raises UnavailableError, and ClientError of the bucket."""
        self._add(node_id, "cancelled", submission_id, KEPT_MS, MOST_ENTRIES)

    def watch(self, node_id: str, submission_id: str) -> None:
        """Let a runner put the output of a submission into the bucket for WATCHED_MS. Raises as `cancel` does."""
        self._add(node_id, "watched", submission_id, WATCHED_MS, MOST_WATCHED)

    def _add(self, node_id: str, name: str, submission_id: str, ms: int, most: int) -> None:
        """Add an entry, unless it is there for more than half of its time."""
        for _ in tries(_TRIES, self.sleep):
            etag, lists = self._read(node_id)
            now = self.clock()
            if lists.get(name, {}).get(submission_id, 0) > now + ms // 2:
                return
            document = {
                each: {one: until_ms for one, until_ms in entries.items() if until_ms > now}
                for each, entries in lists.items()
            }
            newest = sorted(document.get(name, {}).items(), key=lambda entry: entry[1])[1 - most :]
            document[name] = dict([*newest, (submission_id, now + ms)])
            if self._write(node_id, etag, json.dumps(document).encode()):
                return
        raise UnavailableError("Other requests keep changing the state of this runner. Repeat the request.", 1)

    def _read(self, node_id: str) -> tuple[str | None, dict[str, dict[str, int]]]:
        try:
            found = self.client().get_object(Bucket=self.bucket, Key=control_key(node_id))
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None, {}
            raise
        return found["ETag"], json.loads(found["Body"].read())

    def _write(self, node_id: str, etag: str | None, content: bytes) -> bool:
        """Write it unless it has changed since it was read: then False."""
        unchanged: Any = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            self.client().put_object(Bucket=self.bucket, Key=control_key(node_id), Body=content, **unchanged)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                return False
            raise
        return True
