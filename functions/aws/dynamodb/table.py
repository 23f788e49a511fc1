"""The base of the stores: one DynamoDB table, its reads and its single writes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from itertools import batched
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Self, cast

from botocore.exceptions import ClientError

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import from_item, is_condition_failure, to_item
from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from functions.aws.dynamodb.items import Item, Key
    from functions.env import Env

# The due index of a table: rows that need an action, by partition and due time.
#
# The index is sparse: removing its key from a row removes the row from the index. Readers ask every partition, so
# their number may grow: rows stay where they are.

_SHARDS = int(os.environ.get("DUE_SHARDS", "16"))
"""template.yaml has the allowed numbers: powers of two, up to 256."""
DUE_SHARDS = tuple(f"DUE#{number}" for number in range(_SHARDS))


def due_shard(row_id: str) -> str:
    """Return one of the partitions, from the last two hex digits of a UUID."""
    return DUE_SHARDS[int(row_id[-2:], 16) % len(DUE_SHARDS)]


# Repeat writes that lost a race against another writer.

TRIES = 8
_FIRST_PAUSE_SECS = 0.01
_LONGEST_PAUSE_SECS = 0.2
_random = SystemRandom()


def tries(most: int = TRIES, sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Yield 0 to `most` - 1, and pause before each number but the first. Leave the loop after a success.

    The pauses are random ("full jitter"), so that two writers do not meet again, and their bound doubles each time.
    Eight tries pause 0.4 s on average, and at most 0.7 s together.
    """
    for number in range(most):
        if number:
            sleep(_random.uniform(0, min(_LONGEST_PAUSE_SECS, _FIRST_PAUSE_SECS * 2 ** (number - 1))))
        yield number


# Pages of lists.

_QUERIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """One page of rows. `next_created_key`: the position of the next page; None after the last.

    `skipped`: rows that were read for it, and that its filter left out.
    """

    rows: tuple[Row, ...]
    next_created_key: str | None
    skipped: int = 0


def cut[Row](
    found: Sequence[Row], limit: int, created_key: Callable[[Row], str], after: str | None = None
) -> Page[Row]:
    """Return the first `limit` rows as a page. There is a next page if more rows were found.

    Give `after` only with all rows, newest first: the page then has the rows behind that key.
    """
    if after is not None:
        found = [row for row in found if created_key(row) < after]
    kept = tuple(found[:limit])
    return Page(kept, created_key(kept[-1]) if len(found) > limit else None)


def merge[Row](
    pages: Sequence[Page[Row]], limit: int, created_key: Callable[[Row], str], *, ascending: bool = False
) -> Page[Row]:
    """Merge the pages of several partitions into one, newest first, or oldest first if `ascending`.

    A partition whose page is unfinished may have rows after the end of that page. So no later row is shown.
    """
    nearest = min if ascending else max
    horizon = nearest((page.next_created_key for page in pages if page.next_created_key is not None), default=None)
    rows = sorted((row for page in pages for row in page.rows), key=created_key, reverse=not ascending)
    sure = [row for row in rows if horizon is None or nearest(created_key(row), horizon) == created_key(row)]
    page = cut(sure, limit, created_key) if len(sure) > limit else Page(tuple(sure), horizon)
    return replace(page, skipped=sum(each.skipped for each in pages))


def bounds(after: str | None, since: str | None, *, ascending: bool) -> tuple[str, str]:
    """Return the first and the last sort key of a page, both inclusive. `after`: the last key of the page before it.

    Keys begin with a year and end with a printable character. No key is the start of another one.
    """
    first, last = since or "0", "~"
    if after is None:
        return first, last
    if ascending:
        return max(first, after + "!"), last
    return first, max(first, after[:-1] + chr(ord(after[-1]) - 1) + "~")


def query_page[Row](
    client: DynamoDBClient,
    request: dict[str, Any],
    limit: int,
    decode: Callable[[Any], Row],
    created_key: Callable[[Row], str],
    sort_key: str = "created_key",
) -> Page[Row]:
    """Query an index, whose sort key attribute is `sort_key`, until a page is full.

    The calls are bounded. So a page of a filter that few items match may be short and still have a next page.
    """
    found: list[Row] = []
    start: Any = None
    skipped = 0
    for _ in range(_QUERIES_MAX):
        answer = client.query(**request)
        found += [decode(from_item(item)) for item in answer["Items"]]
        skipped += answer["ScannedCount"] - answer["Count"]
        start = answer.get("LastEvaluatedKey")
        if start is None or len(found) > limit:
            return replace(cut(found, limit, created_key), skipped=skipped)
        request["ExclusiveStartKey"] = start
    return Page(tuple(found), start[sort_key]["S"], skipped)


def query_pages(client: DynamoDBClient, **request: Any) -> Iterator[Any]:
    """Yield the answers of a query, page by page. A paginator of botocore would make a class for each query."""
    while True:
        answer = client.query(**request)
        yield answer
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


# Read many items of one table by their keys.

_KEYS_PER_CALL = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


def read_rows(
    client: DynamoDBClient,
    table_name: str,
    keys: Sequence[dict[str, AttributeValueTypeDef]],
    attributes: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """Read items consistently, in no order, without missing ones. `keys` must be distinct.

    `attributes`: the attributes to return, () for all; none may be a reserved word.
    """
    wanted = {"ProjectionExpression": ", ".join(attributes)} if attributes else {}
    found: list[dict[str, Any]] = []
    for some in batched(keys, _KEYS_PER_CALL):
        left: Any = {table_name: {"Keys": list(some), "ConsistentRead": True, **wanted}}
        while left:  # a call returns at most 16 MB, less from a busy table; at least one item, or it raises
            answer = client.batch_get_item(RequestItems=left)
            found += [from_item(item) for item in answer["Responses"].get(table_name, [])]
            left = answer.get("UnprocessedKeys")
    return found


type Row = dict[str, Any]
"""The plain values of a row."""


class Table:
    """A table. `clock` gives epoch milliseconds; `sleep` pauses for seconds. Reads are consistent."""

    table_setting: str
    """The setting that names the table, such as `submissions_table`."""

    def __init__(
        self,
        table_name: str,
        client: DynamoDBClient,
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.table_name = table_name
        self._client = client
        self._clock = clock
        self._sleep = sleep

    @classmethod
    def from_env(cls, env: Env) -> Self:
        return cls(getattr(env.settings, cls.table_setting), env.dynamodb, env.clock)

    def _get(self, key: Key) -> Row | None:
        """Read one row, expired or not."""
        found = self._client.get_item(TableName=self.table_name, Key=key, ConsistentRead=True)
        return from_item(found["Item"]) if "Item" in found else None

    def _list(self, pk: str, sk_prefix: str = "", limit: int | None = None) -> list[Row]:
        """Read the rows of a partition whose sort keys have this prefix, in the order of these keys.

        `limit`: the first so many; None: all.
        """
        condition, values = "pk = :pk", {":pk": pk}
        if sk_prefix:
            condition, values = "pk = :pk AND begins_with(sk, :prefix)", {":pk": pk, ":prefix": sk_prefix}
        return self._query(
            limit, KeyConditionExpression=condition, ExpressionAttributeValues=to_item(values), ConsistentRead=True
        )

    def _due(self, shard: str, now_ms: int, limit: int) -> list[Row]:
        """Read up to `limit` entries of one shard of the due index, oldest first. The index lags by about a second."""
        return self._query(
            limit,
            IndexName="due",
            KeyConditionExpression="due_shard = :shard AND due_at_ms <= :now",
            ExpressionAttributeValues=to_item({":shard": shard, ":now": now_ms}),
        )

    def _query(self, limit: int | None, **request: Any) -> list[Row]:
        """Read the rows of a query; `limit`: the first so many, None for all."""
        if limit is not None:
            request["Limit"] = limit
        found: list[Row] = []
        for page in query_pages(self._client, TableName=self.table_name, **request):
            found += map(from_item, page["Items"])
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def _take(self, key: Key, seen_due_at_ms: int, due_at_ms: int) -> Row | None:
        """Move the due key of a row, so that nobody else handles it; None if another process moved it first."""
        return self._update(
            ConditionalUpdate({"due_at_ms": due_at_ms}, "#due_at_ms = :seen", {"seen": seen_due_at_ms}), key
        )

    def _update(self, update: ConditionalUpdate, key: Key) -> Row | None:
        """Update a row; return the new row, or None if the condition failed."""
        written, _ = self._try_update(**update.arguments(self.table_name, key), ReturnValues="ALL_NEW")
        return None if written is None else from_item(written)

    def _update_unread(self, update: ConditionalUpdate, key: Key) -> bool:
        """Like `_update`, without reading the row, which may be large. False if the condition failed."""
        written, _ = self._try_update(**update.arguments(self.table_name, key), ReturnValues="NONE")
        return written is not None

    def _try_update(self, **arguments: Any) -> tuple[Item | None, Item]:
        """Return the written attributes, or None and the item that failed the condition; the arguments select both.

        Retries while a transaction writes the same row, which botocore does not do.
        """
        for number in tries(sleep=self._sleep):
            try:
                answer = self._client.update_item(**arguments)
            except ClientError as error:
                if is_condition_failure(error):
                    return None, cast("Item", error.response.get("Item", {}))
                if error.response["Error"]["Code"] != "TransactionConflictException" or number + 1 == TRIES:
                    raise
            else:
                return answer.get("Attributes", {}), {}
        raise AssertionError("unreachable")
