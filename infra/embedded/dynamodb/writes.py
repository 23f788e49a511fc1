"""PutItem, UpdateItem, DeleteItem, and the same as actions of a transaction."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from infra.embedded.dynamodb.expressions import Parsed, Placeholders, Tree, check, parse_condition, parse_update
from infra.embedded.dynamodb.items import (
    SETS,
    Item,
    Row,
    Value,
    add,
    consumed_capacity,
    item_size,
    normalise,
    normalise_item,
    sorted_set,
    wants_capacity,
    write_units,
)
from infra.embedded.dynamodb.tables import Table, find_table
from infra.embedded.engine import Engine
from infra.embedded.errors import Answer, MismatchError, Params, ServiceError, invalid, unknown

# Updates: a syntax tree and an item to the next item. All right sides see the item as it was.

_WRONG_TYPE: Final = "An operand in the update expression has an incorrect data type"


def apply(clauses: dict[str, tuple[Any, ...]], item: Item, given: Placeholders, key_names: tuple[str, ...]) -> Item:
    targets = [
        given.name(entry if word == "REMOVE" else entry[0]) for word, entries in clauses.items() for entry in entries
    ]
    if len(set(targets)) != len(targets):
        twice = next(name for name in targets if targets.count(name) > 1)
        raise invalid(
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of "
            f"these paths; path one: [{twice}], path two: [{twice}]"
        )
    for name in targets:
        if name in key_names:
            problem = f"Cannot update attribute {name}. This attribute is part of the key"
            raise invalid(f"One or more parameter values were invalid: {problem}")
    changed = dict(item)
    for target, right in clauses.get("SET", ()):
        changed[given.name(target)] = _right_side(right, item, given)
    for target in clauses.get("REMOVE", ()):
        changed.pop(given.name(target), None)
    for target, operand in clauses.get("ADD", ()):
        name = given.name(target)
        changed[name] = _added(item.get(name), given.values[operand[1]])
    for target, operand in clauses.get("DELETE", ()):
        _delete(changed, given.name(target), given.values[operand[1]])
    return changed


def _right_side(tree: Tree, item: Item, given: Placeholders) -> Value:
    match tree:
        case (("+" | "-") as sign, left, right):
            values = (_right_side(left, item, given), _right_side(right, item, given))
            if any("N" not in value for value in values):
                raise MismatchError(_WRONG_TYPE)
            return {"N": add(values[0]["N"], values[1]["N"], 1 if sign == "+" else -1)}
        case ("if_not_exists", path, otherwise):
            value = given.operand(path, item)
            return value if value is not None else _right_side(otherwise, item, given)
    value = given.operand(tree, item)
    if value is None:
        raise MismatchError("The provided expression refers to an attribute that does not exist in the item")
    return value


def _added(old: Value | None, more: Value) -> Value:
    ((kind, content),) = more.items()
    if kind != "N" and kind not in SETS:
        raise invalid(
            f"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, {kind}"
        )
    if old is None:
        return more
    if kind not in old:
        raise MismatchError(_WRONG_TYPE)
    if kind == "N":
        return {"N": add(old["N"], content)}
    return {kind: sorted_set(SETS[kind], list({*old[kind], *content}))}


def _delete(item: Item, name: str, members: Value) -> None:
    ((kind, content),) = members.items()
    if kind not in SETS:
        raise invalid(
            f"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, {kind}"
        )
    old = item.get(name)
    if old is None:
        return
    if kind not in old:
        raise MismatchError(_WRONG_TYPE)
    left = [member for member in old[kind] if member not in content]
    if left:
        item[name] = {kind: left}
    else:
        del item[name]


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


def tell_readers(engine: Engine, writes: Iterable[Write]) -> None:
    """Note committed writes, and wake the readers of the streams that they appended to."""
    for write in writes:
        engine.store.note_change(str(write.row.key[0]))
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
            new = apply(update.tree, new, given, table.schema.names)
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
    counts = wants_capacity(params)
    try:
        with engine.store.write() as connection:
            done = prepare(connection, find_table(connection, params["TableName"]), kind, params, engine.clock())
            done.apply()
        tell_readers(engine, [done])
    except RefusedError as refused:
        more = {} if refused.item is None else {"Item": refused.item}
        raise ServiceError("ConditionalCheckFailedException", REFUSED, more=more) from None
    answer: Answer = {}
    if returned := {"ALL_OLD": done.old, "ALL_NEW": done.new}.get(wanted):
        answer["Attributes"] = returned
    if counts:
        answer["ConsumedCapacity"] = consumed_capacity(done.table, write_units(done.table, done.old, done.new))
    return answer


# TransactWriteItems: all conditions hold and all actions are written, or nothing is and each action has its reason.
#
# A ClientRequestToken is taken and not kept: botocore makes a new one for each call, and here no answer is lost.

_MOST_ACTIONS: Final = 100
_MOST_BYTES: Final = 4 * 1024 * 1024
_NO_REASON: Final = {"Code": "None"}
_MEMBERS: Final = {
    "Put": {"Item"},
    "Update": {"Key", "UpdateExpression"},
    "Delete": {"Key"},
    "ConditionCheck": {"Key"},
}
_SHARED: Final = {
    "TableName",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}


def transact_write_items(engine: Engine, params: Params) -> Answer:
    """Write up to 100 items of any tables. Raises TransactionCanceledException with the reasons in order."""
    actions = [_action(entry) for entry in params["TransactItems"]]
    if not 1 <= len(actions) <= _MOST_ACTIONS:
        raise invalid(f"TransactItems must have 1 to {_MOST_ACTIONS} actions; got {len(actions)}")
    counts = wants_capacity(params)
    with engine.store.write() as connection:
        tables = {name: find_table(connection, name) for name in {body["TableName"] for _, body in actions}}
        _refuse_repeated(tables, actions)
        writes, reasons = _prepare_all(connection, tables, actions, engine.clock())
        if any(reasons):
            raise _cancelled([reason or _NO_REASON for reason in reasons])
        # The JSON of an item is never smaller than the size that DynamoDB counts for it.
        total = sum([write.apply() for write in writes])
        if total > _MOST_BYTES and sum(item_size(write.new) for write in writes if write.changes) > _MOST_BYTES:
            raise invalid("Collective item size in the transaction exceeds 4 MB")
    tell_readers(engine, writes)
    if not counts:
        return {}
    units: dict[str, float] = {}
    for write in writes:
        more = write_units(write.table, write.old, write.new, transaction=True)
        units[write.table.name] = units.get(write.table.name, 0) + more
    return {"ConsumedCapacity": [{"TableName": name, "CapacityUnits": total} for name, total in units.items()]}


def _action(entry: dict[str, Any]) -> tuple[str, Params]:
    if len(entry) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    ((kind, body),) = entry.items()
    if kind not in _MEMBERS:
        raise unknown(f"the action {kind} of TransactWriteItems")
    if strange := body.keys() - _MEMBERS[kind] - _SHARED:
        raise unknown(f"the parameter {min(strange)} of {kind} in TransactWriteItems")
    return kind, body


def _refuse_repeated(tables: dict[str, Table], actions: list[tuple[str, Params]]) -> None:
    seen = set()
    for kind, body in actions:
        schema = tables[body["TableName"]].schema
        key = {name: body["Item"].get(name, {}) for name in schema.names} if kind == "Put" else body["Key"]
        place = (body["TableName"], *schema.key_parts(key))
        if place in seen:
            raise invalid("Transaction request cannot include multiple operations on one item")
        seen.add(place)


def _prepare_all(
    connection: sqlite3.Connection, tables: dict[str, Table], actions: list[tuple[str, Params]], now_ms: int
) -> tuple[list[Write], list[dict[str, Any] | None]]:
    writes: list[Write] = []
    reasons: list[dict[str, Any] | None] = []
    for kind, body in actions:
        reason: dict[str, Any] | None = None
        try:
            writes.append(prepare(connection, tables[body["TableName"]], kind, body, now_ms))
        except RefusedError as refused:
            reason = {"Code": "ConditionalCheckFailed", "Message": REFUSED}
            reason |= {"Item": refused.item} if refused.item is not None else {}
        except MismatchError as error:
            reason = {"Code": "ValidationError", "Message": error.message}
        reasons.append(reason)
    return writes, reasons


def _cancelled(reasons: list[dict[str, Any]]) -> ServiceError:
    codes = ", ".join(reason["Code"] for reason in reasons)
    return ServiceError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        more={"CancellationReasons": reasons},
    )
