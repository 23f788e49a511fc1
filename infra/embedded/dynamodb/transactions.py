"""TransactWriteItems: all conditions hold and all actions are written, or nothing is and each action has its reason.

A ClientRequestToken is taken and not kept: botocore makes a new one for each call, and here no answer is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb import capacity
from infra.embedded.dynamodb.tables import Table, find_table
from infra.embedded.dynamodb.values import item_size
from infra.embedded.dynamodb.writes import REFUSED, RefusedError, Write, prepare, wake_readers
from infra.embedded.errors import MismatchError, ServiceError, invalid, unknown

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine

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
    counts = capacity.is_wanted(params)
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
    wake_readers(engine, writes)
    if not counts:
        return {}
    units: dict[str, float] = {}
    for write in writes:
        more = capacity.write_units(write.table, write.old, write.new, transaction=True)
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
