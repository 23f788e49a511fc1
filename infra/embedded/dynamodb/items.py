"""Items and their values in DynamoDB's own JSON, their sizes, and the capacity that a request consumes."""

from __future__ import annotations

import base64
import json
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.errors import invalid, unknown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from infra.embedded.dynamodb.tables import Part, Table
    from infra.embedded.errors import Params


# Attribute values in DynamoDB's own JSON, numbers exact, sets sorted: equal values are equal dictionaries.
#
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Limits.html


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


# Rows of items. Entries of indexes, the expiry and the stream follow them in the same transaction.

_NUMBERS_OF_A_MS: Final = 4096

type Entry = tuple[int, Part, Part]


class Row:
    """One item in a write transaction at `now_ms`. `key`: partition and sort key. `item` is {} where there is none."""

    def __init__(self, connection: sqlite3.Connection, table: Table, key: tuple[Part, Part], now_ms: int) -> None:
        self._connection = connection
        self._table = table
        self.key = key
        self._now_ms = now_ms
        found = connection.execute(
            "SELECT id, body FROM item WHERE dynamo_table = ? AND pk = ? AND sk = ?", (table.number, *key)
        ).fetchone()
        self._id: int | None = found[0] if found else None
        self.item: Item = loads(found[1]) if found else {}

    def replace(self, item: Item) -> int:
        """Write the item. Refuses one of more than 400 KB. Returns the bytes of its JSON, which are never fewer."""
        table, connection = self._table, self._connection
        body, expires = dumps(item), expiry_of(table, item)
        size = len(body.encode())
        if size > MAX_ITEM_BYTES and item_size(item) > MAX_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        if item != self.item:
            self._stream("MODIFY" if self.item else "INSERT", item)
        if self._id is None:
            values = (table.number, *self.key, expires, body)
            sql = "INSERT INTO item (dynamo_table, pk, sk, expires, body) VALUES (?, ?, ?, ?, ?)"
            self._id = connection.execute(sql, values).lastrowid
        elif expires != expiry_of(table, self.item):
            connection.execute("UPDATE item SET body = ?, expires = ? WHERE id = ?", (body, expires, self._id))
        else:
            connection.execute("UPDATE item SET body = ? WHERE id = ?", (body, self._id))
        self._follow(entries_of(table, self.item), entries_of(table, item))
        return size

    def delete(self, *, by_expiry: bool = False) -> None:
        """Remove the item, if it is there."""
        if self._id is not None:
            self._stream("REMOVE", self.item, by_expiry=by_expiry)
            self._connection.execute("DELETE FROM item WHERE id = ?", (self._id,))
            self._follow(entries_of(self._table, self.item), set())

    def _stream(self, event: str, item: Item, *, by_expiry: bool = False) -> None:
        if self._table.stream is None:
            return
        keys = dumps({name: item[name] for name in self._table.schema.names})
        # The time is part of the number, so that a loss of power that undoes records frees no number for other ones.
        self._connection.execute(
            "INSERT INTO stream_record (sequence, dynamo_table, created_ms, event, keys, by_expiry) "
            "VALUES (max(?, (SELECT coalesce(max(sequence), 0) + 1 FROM stream_record)), ?, ?, ?, ?, ?)",
            (self._now_ms * _NUMBERS_OF_A_MS, self._table.number, self._now_ms, event, keys, by_expiry),
        )

    def _follow(self, before: set[Entry], after: set[Entry]) -> None:
        for entry in before - after:
            sql = "DELETE FROM entry WHERE dynamo_index = ? AND hash = ? AND range = ? AND pk = ? AND sk = ?"
            self._connection.execute(sql, (*entry, *self.key))
        for entry in after - before:
            sql = "INSERT INTO entry (dynamo_index, hash, range, pk, sk, item) VALUES (?, ?, ?, ?, ?, ?)"
            self._connection.execute(sql, (*entry, *self.key, self._id))


def entries_of(table: Table, item: Item) -> set[Entry]:
    """Return the places of an item in the indexes: those whose key attributes it has all."""
    return {
        (index.number, *index.schema.parts(item))
        for index in table.indexes.values()
        if item.keys() >= set(index.schema.names)
    }


def expiry_of(table: Table, item: Item) -> int | None:
    """Return the expiry in epoch seconds; as in DynamoDB, another type than a number never expires."""
    value = item.get(table.ttl, {}) if table.ttl else {}
    return int(float(value["N"])) if "N" in value else None


# Consumed capacity, for requests that ask for the total.
#
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html

_READ_BYTES: Final = 4096
_WRITE_BYTES: Final = 1024


def wants_capacity(params: Params) -> bool:
    wanted = params.get("ReturnConsumedCapacity", "NONE")
    if wanted not in {"NONE", "TOTAL"}:
        raise unknown(f"ReturnConsumedCapacity={wanted}")
    return bool(wanted == "TOTAL")


def consumed_capacity(table: Table, units: float) -> dict[str, Any]:
    return {"TableName": table.name, "CapacityUnits": units}


def read_units(size: int, *, consistent: bool) -> float:
    """Units of a read of so many bytes."""
    return max(1, -(-size // _READ_BYTES)) * (1.0 if consistent else 0.5)


def write_units(table: Table, old: Item, new: Item, *, transaction: bool = False) -> float:
    """Units of a write of one item, {} for none, with the indexes that follow it."""
    return float(sum(units for _, _, units in written(table, old, new, transaction=transaction)))


def written(table: Table, old: Item, new: Item, *, transaction: bool = False) -> Iterator[tuple[str, str, int]]:
    """Yield index ("": the table), partition key and units of each entry that a write of one item changes."""
    yield (
        "",
        _in_text((new or old).get(table.schema.hash)),
        _units(max(item_size(old), item_size(new))) * (2 if transaction else 1),
    )
    for index in table.indexes.values():
        keys = index.schema.names
        before = index.project(old) if old.keys() >= set(keys) else {}
        after = index.project(new) if new.keys() >= set(keys) else {}
        if before and after and all(before[name] == after[name] for name in keys):
            if before != after:
                yield index.name, _in_text(after[keys[0]]), _units(max(item_size(before), item_size(after)))
        else:
            for part in (before, after):
                if part:
                    yield index.name, _in_text(part[keys[0]]), _units(item_size(part))


def _in_text(value: Any) -> str:
    return "" if value is None else str(next(iter(value.values())))


def _units(size: int) -> int:
    return max(1, -(-size // _WRITE_BYTES))
