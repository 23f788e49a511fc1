"""Definitions of tables. Every call reads its table's definition from the file, so all processes see one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from infra.embedded.dynamodb.values import normalise, sortable
from infra.embedded.engine import ACCOUNT_ID, REGION
from infra.embedded.errors import ServiceError, invalid

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.dynamodb.values import Item

_INDEXES: Final = 20
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
STREAM_VIEW: Final = "KEYS_ONLY"
type Part = str | bytes


@dataclass(frozen=True, slots=True)
class KeySchema:
    """`kinds`: S, N or B of each key attribute."""

    hash: str
    range: str | None
    kinds: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Name the key's attributes."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    def parts(self, item: Item) -> tuple[Part, Part]:
        """Return hash and range as SQLite compares them; the range is empty where the schema has none."""
        hash_part = self._part(self.hash, item)
        return hash_part, "" if self.range is None else self._part(self.range, item)

    def key_parts(self, key: Item) -> tuple[Part, Part]:
        """Read a key that a client sent: these attributes and no others."""
        if key.keys() != set(self.names):
            raise invalid("The provided key element does not match the schema")
        return self.parts({name: normalise(value) for name, value in key.items()})

    def _part(self, name: str, item: Item) -> Part:
        content = item.get(name, {}).get(self.kinds[name])
        if content is None:
            problem = "Missing the key" if name not in item else "Type mismatch for key"
            raise invalid(f"One or more parameter values were invalid: {problem} {name} in the item")
        if content in {"", b""}:
            problem = f"The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
            raise invalid(f"One or more parameter values are not valid. {problem}")
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
    """Return the ARN of a table's stream."""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{table}/stream/{label}"
