"""Read many items of one table by their keys."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import from_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

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
