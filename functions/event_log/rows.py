"""Rows of events: the event with its bytes, the list of events without a submission, and new entries of the event log.

An entry has no bytes: these are in the event's row, or in the submission's. `functions.feed` reads both.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import Value, from_item, key, to_item
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import LOG_MS, TTL_MS, Delivered, Entry, Event, Reason

_SCHEMA = "webhook/v1"
"""Earlier builds of 0.1 need `schema` of an event after a rollback. It goes with 0.3."""
NEW_SHARDS = 4
"""Partitions of a project's new entries. One takes about 500 entries a second."""


def count_key(project_id: str) -> dict[str, Any]:
    """Return the key of the row with the end of a project's event log (`log_until_ms`).

    It also has the number of its endpoints (`count`), because one query reads both: see `webhooks.endpoints.store`.
    """
    return key(f"PROJECT#{project_id}", "ENDPOINTS")


def event_key(event_id: str) -> dict[str, Any]:
    return key(f"EVENT#{event_id}", "EVENT")


def event_row(event: Event, ttl: int) -> dict[str, Value | None]:
    """Build an event row; `ttl` in epoch seconds.

    The bytes are compressed, because a write costs by the KiB: the event of a small run takes 0.8 KiB instead of 2.1.
    """
    return {
        "pk": f"EVENT#{event.event_id}",
        "sk": "EVENT",
        "type": event.type,
        "schema": _SCHEMA,
        "project_id": event.project_id,
        "submission_id": event.submission_id,
        "body_zlib": zlib.compress(event.body),
        "ttl": ttl,
    }


def to_event(event_id: str, row: Mapping[str, Any]) -> Event | None:
    """Convert an event row; None if its bytes are gone."""
    if "body_zlib" not in row:
        return None
    return Event(
        event_id=event_id,
        type=row["type"],
        project_id=row["project_id"],
        submission_id=row["submission_id"],
        body=zlib.decompress(row["body_zlib"]),
    )


def list_pk(project_id: str) -> str:
    """Return the partition of a project's events without a submission."""
    return f"EVENTS#{project_id}"


def new_pk(project_id: str, shard: int) -> str:
    """Return one partition of a project's log entries that have no position yet."""
    return f"UNORDERED#{project_id}#{shard}"


def list_row(event: Event, now_ms: int, ttl: int) -> dict[str, Value | None]:
    """Build the row that lists an event without a submission."""
    entry = Entry(event.event_id, event.type, event.submission_id, to_rfc3339(now_ms))
    return _row(list_pk(event.project_id), entry, ttl)


def new_row(event: Event, now_ms: int, reason: Reason = Reason.EVENT) -> dict[str, Value | None]:
    """Build the log entry of an event. It gets its position when a consumer polls."""
    entry = Entry(event.event_id, event.type, event.submission_id, to_rfc3339(now_ms), reason)
    return _new_row(event.project_id, entry, now_ms)


def replay_row(delivery: Delivered, now_ms: int) -> dict[str, Value | None]:
    """Build the log entry of an event that a client replays."""
    entry = Entry(delivery.event_id, delivery.event_type, delivery.submission_id, to_rfc3339(now_ms), Reason.REPLAY)
    return _new_row(delivery.project_id, entry, now_ms)


def entry_values(entry: Entry) -> dict[str, Value]:
    """Build the attributes of an entry in a row or a page of the log, without its key."""
    values: dict[str, Value] = {"type": entry.type}
    if entry.submission_id:
        values["submission_id"] = entry.submission_id
    if entry.reason is not Reason.EVENT:
        values["reason"] = entry.reason.value
    return values


def to_entry(key: str, values: Mapping[str, Any]) -> Entry:
    """Convert `Entry.key` and `entry_values`."""
    at, event_id = key.split("#")[:2]
    reason = Reason(values.get("reason", Reason.EVENT))
    return Entry(event_id, values["type"], values.get("submission_id", ""), at, reason)


def _new_row(project_id: str, entry: Entry, now_ms: int) -> dict[str, Value | None]:
    shard = int(entry.event_id[-1], 16) % NEW_SHARDS
    return _row(new_pk(project_id, shard), entry, (now_ms + LOG_MS) // MS_PER_SEC)


def _row(pk: str, entry: Entry, ttl: int) -> dict[str, Value | None]:
    return {"pk": pk, "sk": entry.key, **entry_values(entry), "ttl": ttl}


# Write replays, tests and samples to the event log. Other events get there in the transaction that stores them.


class LogWriter(Table):
    """Adds entries to the log of a project that has a consumer; for other projects it writes nothing."""

    table_setting = "deliveries_table"

    def is_on(self, project_id: str) -> bool:
        """Whether the project keeps a log now."""
        answer = self._client.get_item(
            TableName=self.table_name,
            Key=count_key(project_id),
            ConsistentRead=True,
            ProjectionExpression="log_until_ms",
        )
        return self._clock() < int(from_item(answer.get("Item") or {}).get("log_until_ms", 0))

    def add_test(self, event: Event) -> bool:
        """Store an event that only the log gets, with its bytes; False without a log. Raises RowsContendedError."""
        if not self.is_on(event.project_id):
            return False
        now = self._clock()
        rows = (event_row(event, (now + TTL_MS) // MS_PER_SEC), new_row(event, now, Reason.TEST))
        transact_or_raise(self._client, {"event": [put(self.table_name, to_item(row), ABSENT) for row in rows]})
        return True

    def replay_actions(self, delivery: Delivered) -> list[Any]:
        """Return the action that adds the event of a replayed delivery again, for the replay's transaction."""
        return [self.replay_action(delivery)] if self.is_on(delivery.project_id) else []

    def replay_action(self, delivery: Delivered) -> Any:
        """Return that action for a project whose log is on."""
        return put(self.table_name, to_item(replay_row(delivery, self._clock())))
