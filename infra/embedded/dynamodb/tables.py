"""Tables and their streams. Every call reads its table's definition from the file, so all processes see one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb.items import entries_of, expiry_of, item_size, loads, normalise, sortable
from infra.embedded.engine import ACCOUNT_ID, REGION
from infra.embedded.errors import ServiceError, invalid, unknown

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager

    from infra.embedded.dynamodb.items import Item
    from infra.embedded.engine import Engine, Wait
    from infra.embedded.errors import Answer, Params

# CreateTable, DescribeTable, UpdateTable and UpdateTimeToLive. Items that are there follow a change.


def create_table(engine: Engine, params: Params) -> Answer:
    """Create a table, active at once."""
    spec = {
        "AttributeDefinitions": params["AttributeDefinitions"],
        "KeySchema": params["KeySchema"],
        "GlobalSecondaryIndexes": params.get("GlobalSecondaryIndexes", []),
        "Ttl": None,
        "Stream": _stream(engine, params.get("StreamSpecification", {"StreamEnabled": False})),
    }
    name = params["TableName"]
    with engine.store.write() as connection:
        row = (name, json.dumps(spec))
        if connection.execute("INSERT OR IGNORE INTO dynamo_table (name, spec) VALUES (?, ?)", row).rowcount == 0:
            raise ServiceError("ResourceInUseException", f"Table already exists: {name}")
        find_table(connection, name)
        return {"TableDescription": _description(name, spec)}


def describe_table(engine: Engine, params: Params) -> Answer:
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
    return {"Table": _description(table.name, json.loads(table.spec))}


def update_table(engine: Engine, params: Params) -> Answer:
    """Add indexes, filled from the items that are there; start or end the stream."""
    name, updates = params["TableName"], params.get("GlobalSecondaryIndexUpdates", [])
    with engine.store.write() as connection:
        table = find_table(connection, name)
        spec = json.loads(table.spec)
        spec["AttributeDefinitions"] = params.get("AttributeDefinitions", spec["AttributeDefinitions"])
        spec["GlobalSecondaryIndexes"] += [update["Create"] for update in updates]
        if "StreamSpecification" in params:
            wanted = _stream(engine, params["StreamSpecification"])
            if wanted is not None and spec.get("Stream") is not None:
                raise invalid("Table already has an enabled stream")
            spec["Stream"] = wanted
            connection.execute("DELETE FROM stream_record WHERE dynamo_table = ?", (table.number,))
        _save(connection, name, spec)
        if updates:
            _fill_indexes(connection, find_table(connection, name))
        return {"TableDescription": _description(name, spec)}


def _stream(engine: Engine, wanted: dict[str, Any]) -> str | None:
    """Return the label of a new stream, None for none."""
    if not wanted["StreamEnabled"]:
        return None
    if wanted["StreamViewType"] != STREAM_VIEW:
        raise unknown(f"StreamViewType={wanted['StreamViewType']}")
    return datetime.fromtimestamp(engine.clock() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def update_time_to_live(engine: Engine, params: Params) -> Answer:
    """Name the attribute by which items expire; the items that are there follow it too."""
    name, wanted = params["TableName"], params["TimeToLiveSpecification"]
    with engine.store.write() as connection:
        spec = json.loads(find_table(connection, name).spec)
        spec["Ttl"] = wanted["AttributeName"] if wanted["Enabled"] else None
        _save(connection, name, spec)
        _fill_expiry(connection, find_table(connection, name))
    return {"TimeToLiveSpecification": wanted}


def _save(connection: sqlite3.Connection, name: str, spec: dict[str, Any]) -> None:
    connection.execute("UPDATE dynamo_table SET spec = ? WHERE name = ?", (json.dumps(spec), name))


def _description(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    description: dict[str, Any] = {
        "TableName": name,
        "TableStatus": "ACTIVE",
        "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}",
        "AttributeDefinitions": spec["AttributeDefinitions"],
        "KeySchema": spec["KeySchema"],
    }
    if spec["GlobalSecondaryIndexes"]:
        indexes = [{**index, "IndexStatus": "ACTIVE"} for index in spec["GlobalSecondaryIndexes"]]
        description["GlobalSecondaryIndexes"] = indexes
    if (label := spec.get("Stream")) is not None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW}
        description |= {"LatestStreamLabel": label, "LatestStreamArn": stream_arn(name, label)}
    return description


def _fill_indexes(connection: sqlite3.Connection, table: Table) -> None:
    for item_id, pk, sk, body in connection.execute(
        "SELECT id, pk, sk, body FROM item WHERE dynamo_table = ?", (table.number,)
    ).fetchall():
        connection.executemany(
            "INSERT OR IGNORE INTO entry (dynamo_index, hash, range, pk, sk, item) VALUES (?, ?, ?, ?, ?, ?)",
            [(*entry, pk, sk, item_id) for entry in entries_of(table, loads(body))],
        )


def _fill_expiry(connection: sqlite3.Connection, table: Table) -> None:
    for item_id, body in connection.execute(
        "SELECT id, body FROM item WHERE dynamo_table = ?", (table.number,)
    ).fetchall():
        connection.execute("UPDATE item SET expires = ? WHERE id = ?", (expiry_of(table, loads(body)), item_id))


_INDEXES: Final = 20
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
STREAM_VIEW: Final = "KEYS_ONLY"
type Part = str | bytes


_HASH_BYTES: Final = 2048
_RANGE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class KeySchema:
    """`kinds`: S, N or B of each key attribute."""

    hash: str
    range: str | None
    kinds: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.hash,) if self.range is None else (self.hash, self.range)

    def parts(self, item: Item) -> tuple[Part, Part]:
        """Return hash and range as SQLite compares them; the range is empty where the schema has none."""
        hash_part = self._part(self.hash, item, _HASH_BYTES)
        return hash_part, "" if self.range is None else self._part(self.range, item, _RANGE_BYTES)

    def key_parts(self, key: Item) -> tuple[Part, Part]:
        """Read a key that a client sent: these attributes and no others."""
        if key.keys() != set(self.names):
            raise invalid("The provided key element does not match the schema")
        return self.parts({name: normalise(value) for name, value in key.items()})

    def _part(self, name: str, item: Item, most_bytes: int) -> Part:
        content = item.get(name, {}).get(self.kinds[name])
        if content is None:
            problem = "Missing the key" if name not in item else "Type mismatch for key"
            raise invalid(f"One or more parameter values were invalid: {problem} {name} in the item")
        if content in {"", b""}:
            problem = f"The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
            raise invalid(f"One or more parameter values are not valid. {problem}")
        if len(content if isinstance(content, bytes) else content.encode()) > most_bytes:
            problem = f"Size of {name} has exceeded the maximum size limit of {most_bytes} bytes"
            raise invalid(f"One or more parameter values were invalid: {problem}")
        return sortable(self.kinds[name], content)


@dataclass(frozen=True, slots=True)
class Index:
    """`number` names it in the file. `kept`: the attributes that it projects, None for all."""

    name: str
    number: int
    schema: KeySchema
    kept: frozenset[str] | None

    def project(self, item: Item) -> Item:
        """Return the part of an item that the index has."""
        return item if self.kept is None else {name: value for name, value in item.items() if name in self.kept}


@dataclass(frozen=True, slots=True)
class Table:
    """`ttl`: the attribute that holds the expiry in epoch seconds. `stream`: the label of the stream, None without.

    `spec`: the JSON that the file holds.
    """

    number: int
    name: str
    schema: KeySchema
    indexes: dict[str, Index]
    ttl: str | None
    stream: str | None
    spec: str

    @property
    def channel(self) -> str:
        """Name the wake-ups of the stream's readers."""
        return f"stream-{self.number}"


def find_table(connection: sqlite3.Connection, name: str) -> Table:
    """Read a table's definition. Raises ResourceNotFoundException."""
    row = connection.execute("SELECT id, spec FROM dynamo_table WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
    return _table(row[0], name, row[1])


@lru_cache(maxsize=64)
def _table(number: int, name: str, spec_text: str) -> Table:
    spec = json.loads(spec_text)
    kinds = {entry["AttributeName"]: entry["AttributeType"] for entry in spec["AttributeDefinitions"]}
    schema = _schema(spec["KeySchema"], kinds)
    indexes = {}
    for place, definition in enumerate(spec["GlobalSecondaryIndexes"]):
        own, projection = _schema(definition["KeySchema"], kinds), definition["Projection"]
        kept = frozenset((*schema.names, *own.names, *projection.get("NonKeyAttributes", ())))
        indexes[definition["IndexName"]] = Index(
            definition["IndexName"],
            number * _INDEXES + place,
            own,
            None if projection["ProjectionType"] == "ALL" else kept,
        )
    return Table(number, name, schema, indexes, spec["Ttl"], spec.get("Stream"), spec_text)


def _schema(elements: list[dict[str, str]], kinds: dict[str, str]) -> KeySchema:
    by_type = {element["KeyType"]: element["AttributeName"] for element in elements}
    names = [name for name in (by_type["HASH"], by_type.get("RANGE")) if name is not None]
    return KeySchema(by_type["HASH"], by_type.get("RANGE"), {name: kinds[name] for name in names})


def stream_arn(table: str, label: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{table}/stream/{label}"


# DynamoDB Streams: the keys of changed items, in the order of the writes, for 24 hours. A stream has one open shard.
#
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html

_SHARD: Final = "shardId-00000000000000000001-00000001"
_MOST_RECORDS: Final = 1000
_MOST_BYTES: Final = 1024 * 1024
_KEPT_MS: Final = 24 * 3_600_000
_ITERATOR_MS: Final = 15 * 60_000
_SEQUENCE_DIGITS: Final = 24
_BY_EXPIRY: Final = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


def describe_stream(engine: Engine, params: Params) -> Answer:
    with engine.store.read() as connection:
        table = _find(connection, params["StreamArn"])
        sql = "SELECT min(sequence) FROM stream_record WHERE dynamo_table = ?"
        (oldest,) = connection.execute(sql, (table.number,)).fetchone()
    shard = {"ShardId": _SHARD, "SequenceNumberRange": {"StartingSequenceNumber": _text_of(oldest or 0)}}
    return {
        "StreamDescription": {
            "StreamArn": params["StreamArn"],
            "StreamLabel": table.stream,
            "StreamStatus": "ENABLED",
            "StreamViewType": STREAM_VIEW,
            "TableName": table.name,
            "Shards": [] if params.get("ExclusiveStartShardId") == _SHARD else [shard],
        }
    }


def get_shard_iterator(engine: Engine, params: Params) -> Answer:
    """Return where to read on. Raises TrimmedDataAccessException for a record that is not kept any more."""
    with engine.store.read() as connection:
        table = _find(connection, params["StreamArn"])
        if params["ShardId"] != _SHARD:
            raise ServiceError("ResourceNotFoundException", f"Shard does not exist: {params['ShardId']}")
        match params["ShardIteratorType"]:
            case "TRIM_HORIZON":
                after = 0
            case "AFTER_SEQUENCE_NUMBER":
                after = _known(connection, table, params["SequenceNumber"])
            case other:
                raise unknown(f"ShardIteratorType={other}")
    return {"ShardIterator": _iterator(engine, params["StreamArn"], after)}


def get_records(engine: Engine, params: Params) -> Answer:
    """Read up to 1,000 records or 1 MB. Raises ExpiredIteratorException after 15 minutes."""
    limit = params.get("Limit", _MOST_RECORDS)
    if not 1 <= limit <= _MOST_RECORDS:
        raise invalid(f"Limit must be 1 to {_MOST_RECORDS}; got {limit}")
    try:
        arn, after, issued_ms = params["ShardIterator"].rsplit("|", 2)
        position, age_ms = int(after), engine.clock() - int(issued_ms)
    except ValueError:
        raise invalid("Invalid ShardIterator") from None
    if age_ms > _ITERATOR_MS:
        raise ServiceError("ExpiredIteratorException", "The shard iterator has expired: get a new one.")
    records, size = list[dict[str, Any]](), 0
    with engine.store.read() as connection:
        table = _find(connection, arn)
        sql = (
            "SELECT sequence, created_ms, event, keys, by_expiry FROM stream_record "
            "WHERE dynamo_table = ? AND sequence > ? ORDER BY sequence LIMIT ?"
        )
        for row in connection.execute(sql, (table.number, position, limit)).fetchall():
            size += len(row[3])
            if records and size > _MOST_BYTES:
                break
            records.append(_record(arn, *row))
            position = row[0]
    if records:
        engine.store.flush()  # as for messages
    return {"Records": records, "NextShardIterator": _iterator(engine, arn, position)}


def waiter(engine: Engine, arn: str) -> AbstractContextManager[Wait]:
    """Wait for records; see `Waking.waiter`."""
    with engine.store.read() as connection:
        return engine.waking.waiter(_find(connection, arn).channel)


def expire_records(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Remove up to `most` of the oldest records after 24 hours, and return how many."""
    return connection.execute(
        "DELETE FROM stream_record WHERE created_ms <= ? "
        "AND sequence IN (SELECT sequence FROM stream_record ORDER BY sequence LIMIT ?)",
        (now_ms - _KEPT_MS, most),
    ).rowcount


def _find(connection: sqlite3.Connection, arn: str) -> Table:
    table = find_table(connection, arn.partition("table/")[2].partition("/stream/")[0])
    if table.stream is None or arn != stream_arn(table.name, table.stream):
        raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")
    return table


def _known(connection: sqlite3.Connection, table: Table, text: str) -> int:
    sequence = int(text) - 10**_SEQUENCE_DIGITS if text.isdigit() else -1
    sql = "SELECT 1 FROM stream_record WHERE dynamo_table = ? AND sequence = ?"
    if connection.execute(sql, (table.number, sequence)).fetchone() is None:
        raise ServiceError("TrimmedDataAccessException", f"The record {text} is not in the stream any more.")
    return sequence


def _record(arn: str, sequence: int, created_ms: int, event: str, keys_text: str, by_expiry: int) -> dict[str, Any]:
    keys = loads(keys_text)
    record: dict[str, Any] = {
        "eventID": hashlib.md5(f"{arn}{sequence}".encode(), usedforsecurity=False).hexdigest(),
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": datetime.fromtimestamp(created_ms // 1000, UTC),
            "Keys": keys,
            "SequenceNumber": _text_of(sequence),
            "SizeBytes": item_size(keys),
            "StreamViewType": STREAM_VIEW,
        },
    }
    return record | ({"userIdentity": _BY_EXPIRY} if by_expiry else {})


def _text_of(sequence: int) -> str:
    """Return a sequence number as DynamoDB writes one: a text of digits, all of one length here."""
    return str(10**_SEQUENCE_DIGITS + sequence)


def _iterator(engine: Engine, arn: str, after: int) -> str:
    return f"{arn}|{after}|{engine.clock()}"
