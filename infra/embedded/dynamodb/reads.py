"""GetItem, BatchGetItem, Query and Scan. Every read is consistent, also where the request allows less."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final

from infra.embedded.dynamodb.expressions import (
    Parsed,
    Placeholders,
    holds,
    parse_condition,
    parse_projection,
    read_range,
)
from infra.embedded.dynamodb.items import Item, consumed_capacity, item_size, loads, read_units, wants_capacity
from infra.embedded.dynamodb.tables import Index, Part, Table, find_table
from infra.embedded.engine import Engine
from infra.embedded.errors import Answer, Params, invalid, unknown

_PAGE_BYTES: Final = 1024 * 1024
_MOST_KEYS: Final = 100
_BATCH_MEMBERS: Final = {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}


def get_item(engine: Engine, params: Params) -> Answer:
    shown = _shown(params)
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
        item = _find(connection, table, params["Key"])
    answer: Answer = {}
    if wants_capacity(params):
        units = read_units(item_size(item or {}), consistent=params.get("ConsistentRead", False))
        answer["ConsumedCapacity"] = consumed_capacity(table, units)
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
            units = sum(read_units(item_size(item), consistent=consistent) for item in items)
            consumed.append(consumed_capacity(table, units))
    answer: Answer = {"Responses": answers, "UnprocessedKeys": {}}
    return answer | ({"ConsumedCapacity": consumed} if wants_capacity(params) else {})


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
        source = _source(table, params)
        range_sql, values = read_range(condition.tree, given, source.schema)
        start = _start(table, source, params)
        if start and source is table:
            start = start[1:]  # the partition is the condition's
        sql = _sql(source, range_sql, forward=params.get("ScanIndexForward", True), has_start=bool(start))
        # Closed before the connection serves others: an open cursor would hold its old state of the file.
        with closing(connection.execute(sql, (source.number, *values, *start))) as rows:
            return _page(table, source, params, given, rows)


def scan(engine: Engine, params: Params) -> Answer:
    """Read a page of a whole table, in the order of its keys. No function scans; tests and tools do."""
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
        start = _start(table, table, params)
        position = "AND (pk, sk) > (?, ?) " if start else ""
        sql = f"SELECT body FROM item WHERE dynamo_table = ? {position}ORDER BY pk, sk"  # noqa: S608 - a constant
        with closing(connection.execute(sql, (table.number, *start))) as rows:
            return _page(table, table, params, Placeholders({}, {}), rows)


def _source(table: Table, params: Params) -> Table | Index:
    name = params.get("IndexName")
    if name is None:
        return table
    if name not in table.indexes:
        raise invalid(f"The table does not have the specified index: {name}")
    if params.get("ConsistentRead", False):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return table.indexes[name]


def _position_names(table: Table, source: Table | Index) -> set[str]:
    return {*table.schema.names, *source.schema.names}


def _start(table: Table, source: Table | Index, params: Params) -> tuple[Part, ...]:
    """Return the position that the page follows: of an index its range and the item's key, of a table the key."""
    key = params.get("ExclusiveStartKey")
    if key is None:
        return ()
    if key.keys() != _position_names(table, source):
        raise invalid("The provided starting key is invalid")
    own = table.schema.key_parts({name: key[name] for name in table.schema.names})
    if source is table:
        return own
    return (source.schema.key_parts({name: key[name] for name in source.schema.names})[1], *own)


def _sql(source: Table | Index, range_sql: str, *, forward: bool, has_start: bool) -> str:
    """Return the statement for a partition. Only constants are put together; values are bound."""
    direction, after = ("ASC", ">") if forward else ("DESC", "<")
    columns: tuple[str, ...] = ("own.sk",)
    rows = "item AS own WHERE own.dynamo_table = ? AND own.pk = ?"
    if isinstance(source, Index):
        columns = ("own.range", "own.pk", "own.sk")
        rows = "entry AS own JOIN item ON item.id = own.item WHERE own.dynamo_index = ? AND own.hash = ?"
    position = f" AND ({', '.join(columns)}) {after} ({', '.join('?' for _ in columns)})" if has_start else ""
    order = ", ".join(f"{column} {direction}" for column in columns)
    return f"SELECT body FROM {rows}{range_sql.format(columns[0])}{position} ORDER BY {order}"  # noqa: S608


def _page(
    table: Table, source: Table | Index, params: Params, given: Placeholders, rows: Iterable[tuple[str]]
) -> Answer:
    select = params.get("Select", "ALL_ATTRIBUTES")
    if select not in {"ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT"}:
        raise unknown(f"Select={select}")
    wanted = parse_condition(params["FilterExpression"]).tree if "FilterExpression" in params else None
    limit, scanned, size, last = params.get("Limit"), 0, 0, None
    found: list[Item] = []
    for (body,) in rows:
        item = source.project(loads(body)) if isinstance(source, Index) else loads(body)
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
        answer["LastEvaluatedKey"] = {name: last[name] for name in _position_names(table, source)}
    if wants_capacity(params):
        units = read_units(size, consistent=params.get("ConsistentRead", False))
        answer["ConsumedCapacity"] = consumed_capacity(table, units)
    return answer
