"""GetItem, BatchGetItem, Query and Scan. Every read is consistent, also where the request allows less."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb import capacity
from infra.embedded.dynamodb.conditions import Placeholders, holds
from infra.embedded.dynamodb.expressions import Parsed, parse_condition, parse_projection
from infra.embedded.dynamodb.key_conditions import read_range
from infra.embedded.dynamodb.tables import Index, Table, find_table
from infra.embedded.dynamodb.values import item_size, loads
from infra.embedded.errors import invalid, unknown

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.calls import Answer, Params
    from infra.embedded.dynamodb.values import Item
    from infra.embedded.engine import Engine

_PAGE_BYTES: Final = 1024 * 1024
_MOST_KEYS: Final = 100
_BATCH_MEMBERS: Final = {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}


def get_item(engine: Engine, params: Params) -> Answer:
    """Read one item."""
    shown = _shown(params)
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
        item = _find(connection, table, params["Key"])
    answer: Answer = {}
    if capacity.is_wanted(params):
        units = capacity.read_units(item_size(item or {}), consistent=params.get("ConsistentRead", False))
        answer["ConsumedCapacity"] = capacity.consumed(table, units)
    if item is not None:
        answer["Item"] = _projected(item, shown)
    return answer


def batch_get_item(engine: Engine, params: Params) -> Answer:
    """Read up to 100 items, all that are there: no key is left unprocessed."""
    requests = params["RequestItems"]
    if not 1 <= sum(len(request["Keys"]) for request in requests.values()) <= _MOST_KEYS:
        raise invalid(f"Too many items requested for the BatchGetItem call; at most {_MOST_KEYS}")
    answers: dict[str, list[Item]] = {}
    consumed = []
    with engine.store.read() as connection:
        for name, request in requests.items():
            if strange := request.keys() - _BATCH_MEMBERS:
                raise unknown(f"the parameter {min(strange)} of BatchGetItem")
            shown = _shown(request)
            table = find_table(connection, name)
            parts = [table.schema.key_parts(key) for key in request["Keys"]]
            if len(set(parts)) != len(parts):
                raise invalid("Provided list of item keys contains duplicates")
            items = [item for key in request["Keys"] if (item := _find(connection, table, key)) is not None]
            answers[name] = [_projected(item, shown) for item in items]
            consistent = request.get("ConsistentRead", False)
            units = sum(capacity.read_units(item_size(item), consistent=consistent) for item in items)
            consumed.append(capacity.consumed(table, units))
    answer: Answer = {"Responses": answers, "UnprocessedKeys": {}}
    return answer | ({"ConsumedCapacity": consumed} if capacity.is_wanted(params) else {})


def _shown(request: Params) -> set[str] | None:
    """Return the attributes of the request's projection, None for all."""
    texts = [parse_projection(request["ProjectionExpression"])] if "ProjectionExpression" in request else []
    given = Placeholders.of(request, texts)
    return {given.name(path) for parsed in texts for path in parsed.tree} if texts else None


def _projected(item: Item, shown: set[str] | None) -> Item:
    return item if shown is None else {name: value for name, value in item.items() if name in shown}


def _find(connection: sqlite3.Connection, table: Table, key: Item) -> Item | None:
    found = connection.execute(
        "SELECT body FROM item WHERE dynamo_table = ? AND pk = ? AND sk = ?",
        (table.number, *table.schema.key_parts(key)),
    ).fetchone()
    return loads(found[0]) if found else None


def query(engine: Engine, params: Params) -> Answer:
    """Read a page of one partition of a table or an index."""
    condition = parse_condition(params["KeyConditionExpression"])
    texts: list[Parsed[Any]] = [condition]
    if "FilterExpression" in params:
        texts.append(parse_condition(params["FilterExpression"]))
    given = Placeholders.of(params, texts)
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
        index = _index(table, params)
        schema = index.schema if index else table.schema
        sql, values = read_range(condition.tree, given, schema)
        start = _start(table, index, params)
        forward = params.get("ScanIndexForward", True)
        # Closed before the connection serves others: an open cursor would hold its old state of the file.
        with closing(_select(connection, table, index, sql, values, start, forward=forward)) as rows:
            return _page(table, index, params, given, rows)


def scan(engine: Engine, params: Params) -> Answer:
    """Read a page of a whole table, in the order of its keys. No function scans; tests and tools do."""
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
        start = _start(table, None, params)
        sql, values = ("(pk, sk) > (?, ?)", start) if start else ("1", ())
        sql = f"SELECT body FROM item WHERE dynamo_table = ? AND {sql} ORDER BY pk, sk"  # noqa: S608 - a constant
        with closing(connection.execute(sql, (table.number, *values))) as rows:
            return _page(table, None, params, Placeholders({}, {}), rows)


def _index(table: Table, params: Params) -> Index | None:
    name = params.get("IndexName")
    if name is None:
        return None
    if name not in table.indexes:
        raise invalid(f"The table does not have the specified index: {name}")
    if params.get("ConsistentRead", False):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return table.indexes[name]


def _start(table: Table, index: Index | None, params: Params) -> tuple[str | bytes, ...] | None:
    """Return the position that the page follows: of an index its range and the item's key, of a table the key."""
    key = params.get("ExclusiveStartKey")
    if key is None:
        return None
    names = {*table.schema.names, *(index.schema.names if index else ())}
    if key.keys() != names:
        raise invalid("The provided starting key is invalid")
    own = table.schema.key_parts({name: key[name] for name in table.schema.names})
    if index is None:
        return own
    return (index.schema.key_parts({name: key[name] for name in index.schema.names})[1], *own)


def _select(
    connection: sqlite3.Connection,
    table: Table,
    index: Index | None,
    condition: str,
    values: tuple[str | bytes, ...],
    start: tuple[str | bytes, ...] | None,
    *,
    forward: bool,
) -> sqlite3.Cursor:
    direction, after = ("ASC", ">") if forward else ("DESC", "<")
    columns: tuple[str, ...] = ("sk",)
    if index is None:
        start = start[1:] if start else None
        source, number = "item AS own WHERE own.dynamo_table = ? AND own.pk = ?", table.number
    else:
        columns = ("range", "pk", "sk")
        joined = "JOIN item ON item.id = own.item"
        source, number = f"entry AS own {joined} WHERE own.dynamo_index = ? AND own.hash = ?", index.number
    listed = ", ".join(f"own.{column}" for column in columns)
    position = f" AND ({listed}) {after} ({', '.join('?' for _ in columns)})" if start else ""
    order = ", ".join(f"own.{column} {direction}" for column in columns)
    # Only constants of this module are put together; values are bound.
    sql = f"SELECT body FROM {source}{condition.format(f'own.{columns[0]}')}{position} ORDER BY {order}"  # noqa: S608
    return connection.execute(sql, (number, *values, *(start or ())))


def _page(table: Table, index: Index | None, params: Params, given: Placeholders, rows: sqlite3.Cursor) -> Answer:
    select = params.get("Select", "ALL_ATTRIBUTES")
    if select not in {"ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT"}:
        raise unknown(f"Select={select}")
    wanted = parse_condition(params["FilterExpression"]).tree if "FilterExpression" in params else None
    limit, scanned, size, last = params.get("Limit"), 0, 0, None
    found: list[Item] = []
    for (body,) in rows:
        item = loads(body) if index is None else index.project(loads(body))
        scanned += 1
        size += item_size(item)
        if wanted is None or holds(wanted, item, given):
            found.append(item)
        if size > _PAGE_BYTES or scanned == limit:
            last = item
            break
    answer: Answer = {"Count": len(found), "ScannedCount": scanned}
    if select != "COUNT":
        answer["Items"] = found
    if last is not None:
        names = {*table.schema.names, *(index.schema.names if index else ())}
        answer["LastEvaluatedKey"] = {name: last[name] for name in names}
    if capacity.is_wanted(params):
        units = capacity.read_units(size, consistent=params.get("ConsistentRead", False))
        answer["ConsumedCapacity"] = capacity.consumed(table, units)
    return answer
