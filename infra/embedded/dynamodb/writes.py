"""PutItem, UpdateItem, DeleteItem, and the same as actions of a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb import capacity, updates
from infra.embedded.dynamodb.conditions import Placeholders, check
from infra.embedded.dynamodb.expressions import Parsed, parse_condition, parse_update
from infra.embedded.dynamodb.items import Row
from infra.embedded.dynamodb.tables import Table, find_table
from infra.embedded.dynamodb.values import Item, normalise, normalise_item
from infra.embedded.errors import ServiceError, invalid, unknown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine

REFUSED: Final = "The conditional request failed"
_RETURNS: Final = {
    "Put": {"NONE", "ALL_OLD"},
    "Delete": {"NONE", "ALL_OLD"},
    "Update": {"NONE", "ALL_OLD", "ALL_NEW"},
}


class RefusedError(Exception):
    """The condition does not hold. `item`: the current item, if the request asks for it."""

    def __init__(self, item: Item | None) -> None:
        self.item = item
        super().__init__(REFUSED)


@dataclass(frozen=True, slots=True)
class Write:
    """One checked write: `old` and `new` are {} for no item."""

    table: Table
    row: Row
    old: Item
    new: Item

    @property
    def changes(self) -> bool:
        """Whether it writes; an action that only checks does not."""
        return self.new is not self.old

    def apply(self) -> int:
        """Write it, unless the action only checks. Returns the bytes of the new item's JSON."""
        if not self.changes:
            return 0
        if self.new:
            return self.row.replace(self.new)
        self.row.delete()
        return 0


def wake_readers(engine: Engine, writes: Iterable[Write]) -> None:
    """Wake the readers of the streams that committed writes appended to."""
    for channel in {write.table.channel for write in writes if write.table.stream is not None}:
        engine.waking.wake(channel)


def prepare(connection: sqlite3.Connection, table: Table, kind: str, params: Params, now_ms: int) -> Write:
    """Read the item, check the condition, compute the next item. Raises RefusedError, ServiceError."""
    texts: list[Parsed[Any]] = []
    if "ConditionExpression" in params:
        texts.append(parse_condition(params["ConditionExpression"]))
    update = parse_update(params["UpdateExpression"]) if "UpdateExpression" in params else None
    if update is not None:
        texts.append(update)
    given = Placeholders.of(params, texts)
    if kind == "Put":
        new = normalise_item(params["Item"])
        row = Row(connection, table, table.schema.parts(new), now_ms)
    else:
        row = Row(connection, table, table.schema.key_parts(params["Key"]), now_ms)
        new = row.item if kind == "ConditionCheck" else {}
    if not check(params, row.item, given):
        raise RefusedError(row.item or None if _shows_refused(params) else None)
    if kind == "Update":
        new = row.item or {name: normalise(value) for name, value in params["Key"].items()}
        if update is not None:
            new = updates.apply(update.tree, new, given, table.schema.names)
    return Write(table, row, row.item, new)


def _shows_refused(params: Params) -> bool:
    wanted = params.get("ReturnValuesOnConditionCheckFailure", "NONE")
    if wanted not in {"NONE", "ALL_OLD"}:
        raise invalid(f"ReturnValuesOnConditionCheckFailure={wanted}")
    return bool(wanted == "ALL_OLD")


def expire_items(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Remove up to `most` items of all tables whose time to live is over, and return how many."""
    expired = connection.execute(
        "SELECT dynamo_table.name, pk, sk FROM item JOIN dynamo_table ON dynamo_table.id = item.dynamo_table "
        "WHERE expires IS NOT NULL AND expires <= ? LIMIT ?",
        (now_ms // 1000, most),
    ).fetchall()
    for name, pk, sk in expired:
        Row(connection, find_table(connection, name), (pk, sk), now_ms).delete(by_expiry=True)
    return len(expired)


def write(kind: str, engine: Engine, params: Params) -> Answer:
    """Write one item. `kind`: Put, Update or Delete. It is no error to delete an item that is not there."""
    wanted = params.get("ReturnValues", "NONE")
    if wanted not in _RETURNS[kind]:
        raise unknown(f"ReturnValues={wanted} of {kind}Item")
    counts = capacity.is_wanted(params)
    try:
        with engine.store.write() as connection:
            done = prepare(connection, find_table(connection, params["TableName"]), kind, params, engine.clock())
            done.apply()
        wake_readers(engine, [done])
    except RefusedError as refused:
        more = {} if refused.item is None else {"Item": refused.item}
        raise ServiceError("ConditionalCheckFailedException", REFUSED, more=more) from None
    answer: Answer = {}
    if returned := {"ALL_OLD": done.old, "ALL_NEW": done.new}.get(wanted):
        answer["Attributes"] = returned
    if counts:
        answer["ConsumedCapacity"] = capacity.consumed(done.table, capacity.write_units(done.table, done.old, done.new))
    return answer
