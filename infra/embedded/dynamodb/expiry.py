"""Removes items whose time to live is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.embedded.dynamodb.items import Row
from infra.embedded.dynamodb.tables import find_table

if TYPE_CHECKING:
    import sqlite3


def expire_items(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Remove up to `most` expired items of all tables, and return how many."""
    expired = connection.execute(
        "SELECT dynamo_table.name, pk, sk FROM item JOIN dynamo_table ON dynamo_table.id = item.dynamo_table "
        "WHERE expires IS NOT NULL AND expires <= ? LIMIT ?",
        (now_ms // 1000, most),
    ).fetchall()
    for name, pk, sk in expired:
        Row(connection, find_table(connection, name), (pk, sk), now_ms).delete(by_expiry=True)
    return len(expired)
