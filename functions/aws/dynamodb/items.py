"""Convert plain values to DynamoDB's typed values and back. All numbers are integers.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Value = str | bytes | int | bool | list["Value"] | tuple["Value", ...] | Mapping[str, "Value"]


def encode(value: Value) -> AttributeValueTypeDef:
    """Return the typed value. Raises TypeError for a type that no table uses."""
    if isinstance(value, bool):  # before int: bool is one
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, list | tuple):
        return {"L": [encode(part) for part in value]}
    if isinstance(value, Mapping):
        return {"M": {key: encode(part) for key, part in value.items()}}
    raise TypeError(f"no table holds a {type(value).__name__}")


def decode(value: Mapping[str, Any]) -> Any:
    """Return the plain value of one typed value."""
    ((kind, content),) = value.items()
    if kind == "N":
        return int(content)
    if kind == "B":
        return bytes(content)
    if kind == "L":
        return [decode(part) for part in content]
    if kind == "M":
        return {key: decode(part) for key, part in content.items()}
    if kind == "NULL":
        return None
    return content


def to_item(values: Mapping[str, Value | None]) -> dict[str, AttributeValueTypeDef]:
    """Return an item, without the None values."""
    return {name: encode(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of an item."""
    return {name: decode(value) for name, value in item.items()}


def key(pk: str, sk: str) -> dict[str, AttributeValueTypeDef]:
    """Return the primary key of any of our tables."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def is_condition_failure(error: ClientError) -> bool:
    """Return whether the condition of a write failed."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def cancellation_codes(error: ClientError) -> tuple[str, ...]:
    """Return the reasons of a cancelled transaction, one code per action in order; () for any other error."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return ()
    reasons = cast("list[dict[str, Any]]", error.response.get("CancellationReasons", []))
    return tuple(reason.get("Code", "None") for reason in reasons)
