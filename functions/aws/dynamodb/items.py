"""Convert plain values to DynamoDB's typed values and back. All numbers are integers.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Value = str | bytes | int | bool | frozenset[str] | list["Value"] | tuple["Value", ...] | Mapping[str, "Value"]

type Key = dict[str, AttributeValueTypeDef]
"""The primary key of a row."""
type Item = Mapping[str, Any]
"""An item in DynamoDB's types."""

_AS_THEY_ARE: Final = ((bool, "BOOL"), (str, "S"), (bytes, "B"))  # bool is an int too, so it comes first


def encode(value: Value) -> AttributeValueTypeDef:
    """Return the typed value. Raises TypeError for a type that no table uses."""
    for kind, name in _AS_THEY_ARE:
        if isinstance(value, kind):
            return cast("AttributeValueTypeDef", {name: value})
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, frozenset):
        return {"SS": sorted(value)}
    if isinstance(value, list | tuple):
        return {"L": [encode(part) for part in value]}
    if isinstance(value, Mapping):
        return {"M": {key: encode(part) for key, part in value.items()}}
    raise TypeError(f"no table holds a {type(value).__name__}")


def decode(value: Mapping[str, Any]) -> Any:
    """Return the plain value of one typed value."""
    ((kind, content),) = value.items()
    convert = _DECODERS.get(kind)
    return content if convert is None else convert(content)


_DECODERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "N": int,
    "B": bytes,
    "SS": frozenset,
    "L": lambda parts: [decode(part) for part in parts],
    "M": lambda parts: {key: decode(part) for key, part in parts.items()},
    "NULL": lambda _: None,
}


def to_item(values: Mapping[str, Value | None]) -> dict[str, AttributeValueTypeDef]:
    """Return an item, without the None values."""
    return {name: encode(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(value) for name, value in item.items()}


def key(pk: str, sk: str) -> Key:
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
