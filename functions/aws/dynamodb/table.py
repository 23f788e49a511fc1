"""The base of the stores: one DynamoDB table, its reads and its single writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import from_item, is_condition_failure, to_item
from functions.aws.dynamodb.retries import TRIES, tries
from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Item, Key

type Row = dict[str, Any]
"""The plain values of a row."""


class Table:
    """A table. `clock` gives epoch milliseconds; `sleep` pauses for seconds. Reads are consistent."""

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

    def _get(self, key: Key) -> Row | None:
        """Read one row, expired or not."""
        found = self._client.get_item(TableName=self.table_name, Key=key, ConsistentRead=True)
        return from_item(found["Item"]) if "Item" in found else None

    def _list(self, pk: str, sk_prefix: str = "") -> list[Row]:
        """Read the rows of a partition whose sort keys have this prefix, in the order of these keys."""
        condition, values = "pk = :pk", {":pk": pk}
        if sk_prefix:
            condition, values = "pk = :pk AND begins_with(sk, :prefix)", {":pk": pk, ":prefix": sk_prefix}
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
        )
        return [from_item(item) for page in pages for item in page["Items"]]

    def _due(self, shard: str, now_ms: int, limit: int) -> list[Row]:
        """Read up to `limit` entries of one shard of the due index, oldest first. The index lags by about a second."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            IndexName="due",
            KeyConditionExpression="due_shard = :shard AND due_at_ms <= :now",
            ExpressionAttributeValues=to_item({":shard": shard, ":now": now_ms}),
            PaginationConfig={"MaxItems": limit, "PageSize": limit},
        )
        return [from_item(item) for page in pages for item in page["Items"]]

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
