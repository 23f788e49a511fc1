"""Attribute values in DynamoDB's own JSON, numbers exact, sets sorted: equal values are equal dictionaries.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Limits.html
"""

from __future__ import annotations

import base64
import json
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

from infra.embedded.errors import invalid

type Value = dict[str, Any]
type Item = dict[str, Value]

MAX_ITEM_BYTES: Final = 400 * 1024
_DIGITS: Final = 38
_EXPONENTS: Final = (-130, 125)
_EXACT: Final = Context(prec=_DIGITS, traps=[InvalidOperation, Inexact], Emin=-300, Emax=300)
_LIST_BYTES: Final = 3
SETS: Final = {"SS": "S", "NS": "N", "BS": "B"}
"""The kinds of sets, and those of their members."""


def normalise(value: Value) -> Value:  # noqa: PLR0911 - one for each kind
    """Check a value that a client sent, and give it the one form that the file holds."""
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return {"S": _text(content)}
        case "N":
            return {"N": number_text(content)}
        case "B":
            return {"B": bytes(content)}
        case "BOOL" | "NULL":
            return {kind: bool(content)}
        case "M":
            return {"M": {_text(name): normalise(part) for name, part in content.items()}}
        case "L":
            return {"L": [normalise(part) for part in content]}
        case "SS" | "NS" | "BS":
            return {kind: _set(SETS[kind], content)}
    raise invalid(f"Supplied AttributeValue has the unknown datatype {kind}")


def normalise_item(item: Item) -> Item:
    """Check all attributes of an item."""
    return {_text(name): normalise(value) for name, value in item.items()}


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise invalid("a string value must be a string")
    try:
        content.isascii() or content.encode()
    except UnicodeEncodeError:
        raise invalid("a string must be valid UTF-8") from None
    return content


def _set(kind: str, content: list[Any]) -> list[Any]:
    members = [normalise({kind: part})[kind] for part in content]
    if not members:
        raise invalid("One or more parameter values were invalid: An string set  may not be empty")
    if len(set(members)) != len(members):
        raise invalid("One or more parameter values were invalid: Input collection contains duplicates.")
    return sorted_set(kind, members)


def sorted_set(kind: str, members: list[Any]) -> list[Any]:
    """Order the members of a set: DynamoDB promises none, and here equal sets are equal lists."""
    return sorted(members, key=Decimal) if kind == "N" else sorted(members)


def number_text(content: str) -> str:
    """Return the canonical text of a number: 1.0 and 1e0 are 1."""
    if content.isascii() and content.isdigit() and len(content) <= _DIGITS and content[0] != "0":
        return content
    try:
        number = Decimal(content)
    except (InvalidOperation, TypeError):
        raise invalid(f"The parameter cannot be converted to a numeric value: {content}") from None
    return exact(number)


def exact(number: Decimal) -> str:
    """Return the canonical text. Refuses more than 38 digits and exponents that DynamoDB does not have."""
    try:
        number = _EXACT.normalize(number)
    except Inexact:
        raise invalid("Attempting to store more than 38 significant digits in a Number") from None
    except InvalidOperation:
        raise invalid(f"The parameter cannot be converted to a numeric value: {number}") from None
    if not number.is_finite():
        raise invalid(f"The parameter cannot be converted to a numeric value: {number}")
    if number and not _EXPONENTS[0] <= number.adjusted() <= _EXPONENTS[1]:
        raise invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    return format(number, "f") if number else "0"


def add(left: str, right: str, sign: int = 1) -> str:
    """Add two numbers, or subtract the right one with `sign` -1, exactly."""
    try:
        return exact(_EXACT.add(Decimal(left), sign * Decimal(right)))
    except Inexact:
        raise invalid("Number overflow. The result has more than 38 significant digits") from None


def sortable(kind: str, content: Any) -> str | bytes:
    """Return a key as SQLite compares it: text and bytes as they are, numbers as bytes that sort by value."""
    if kind != "N":
        return content  # type: ignore[no-any-return]  # checked by `normalise`
    number = Decimal(content)
    if not number:
        return b"\x80"
    negative, digits, exponent = number.normalize().as_tuple()
    magnitude = int(exponent) + len(digits) + 256  # positive; two bytes hold it
    body = magnitude.to_bytes(2) + bytes(digit + 1 for digit in digits)
    if not negative:
        return b"\x81" + body
    return b"\x7f" + bytes(255 - byte for byte in body) + b"\xff"


def dumps(item: Item) -> str:
    """Return the JSON that the file holds; bytes as base64."""
    return json.dumps(
        item, separators=(",", ":"), ensure_ascii=False, default=lambda raw: base64.b64encode(raw).decode()
    )


def loads(body: str) -> Item:
    """Parse a text of `dumps`."""
    item: Item = json.loads(body)
    if '"B' in body:
        for value in item.values():
            _decode(value)
    return item


def _decode(value: Value) -> None:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            value["B"] = base64.b64decode(content)
        case "BS":
            value["BS"] = [base64.b64decode(part) for part in content]
        case "M":
            for part in content.values():
                _decode(part)
        case "L":
            for part in content:
                _decode(part)


def item_size(item: Item) -> int:
    """Return the bytes that DynamoDB counts for an item."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:  # noqa: PLR0911 - one for each kind
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content.strip("-0.").replace(".", "")) // 2 + 2
        case "B":
            return len(content)
        case "M":
            return _LIST_BYTES + item_size(content) + len(content)
        case "L":
            return _LIST_BYTES + sum(_size(part) + 1 for part in content)
        case "SS" | "NS" | "BS":
            return sum(_size({SETS[kind]: part}) for part in content)
    return 1
