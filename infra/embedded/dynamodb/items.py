"""Rows of items. Entries of indexes, the expiry and the stream follow them in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.embedded.dynamodb.values import MAX_ITEM_BYTES, dumps, item_size, loads
from infra.embedded.errors import invalid

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.dynamodb.tables import Part, Table
    from infra.embedded.dynamodb.values import Item

_NUMBERS_OF_A_MS: Final = 4096

type Entry = tuple[int, Part, Part]


class Row:
    """One item in a write transaction at `now_ms`. `item` is {} where there is none."""

    def __init__(self, connection: sqlite3.Connection, table: Table, key: tuple[Part, Part], now_ms: int) -> None:
        self._connection = connection
        self._table = table
        self._key = key
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
            values = (table.number, *self._key, expires, body)
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
            self._connection.execute(sql, (*entry, *self._key))
        for entry in after - before:
            sql = "INSERT INTO entry (dynamo_index, hash, range, pk, sk, item) VALUES (?, ?, ?, ?, ?, ?)"
            self._connection.execute(sql, (*entry, *self._key, self._id))


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
