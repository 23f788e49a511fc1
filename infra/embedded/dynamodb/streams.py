"""DynamoDB Streams: the keys of changed items, in the order of the writes, for 24 hours. A stream has one open shard.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb.items import item_size, loads
from infra.embedded.dynamodb.tables import STREAM_VIEW, Table, find_table, stream_arn
from infra.embedded.engine import REGION
from infra.embedded.errors import ServiceError, invalid, unknown

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager

    from infra.embedded.engine import Engine, Wait
    from infra.embedded.errors import Answer, Params

_SHARD: Final = "shardId-00000000000000000001-00000001"
_MOST_RECORDS: Final = 1000
_MOST_BYTES: Final = 1024 * 1024
_KEPT_MS: Final = 24 * 3_600_000
_ITERATOR_MS: Final = 15 * 60_000
_SEQUENCE_DIGITS: Final = 24
_BY_EXPIRY: Final = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


def describe_stream(engine: Engine, params: Params) -> Answer:
    """Describe a stream and its shard."""
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
