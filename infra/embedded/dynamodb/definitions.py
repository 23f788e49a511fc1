"""CreateTable, DescribeTable, UpdateTable and UpdateTimeToLive. Items that are there follow a change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.embedded.dynamodb.items import entries_of, expiry_of
from infra.embedded.dynamodb.tables import STREAM_VIEW, Table, find_table, stream_arn
from infra.embedded.dynamodb.values import loads
from infra.embedded.engine import ACCOUNT_ID, REGION
from infra.embedded.errors import ServiceError, invalid, unknown

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine


def create_table(engine: Engine, params: Params) -> Answer:
    """Create a table, active at once."""
    spec = {
        "AttributeDefinitions": params["AttributeDefinitions"],
        "KeySchema": params["KeySchema"],
        "GlobalSecondaryIndexes": params.get("GlobalSecondaryIndexes", []),
        "Ttl": None,
        "Stream": _stream(engine, params.get("StreamSpecification", {"StreamEnabled": False})),
    }
    name = params["TableName"]
    with engine.store.write() as connection:
        row = (name, json.dumps(spec))
        if connection.execute("INSERT OR IGNORE INTO dynamo_table (name, spec) VALUES (?, ?)", row).rowcount == 0:
            raise ServiceError("ResourceInUseException", f"Table already exists: {name}")
        find_table(connection, name)
        return {"TableDescription": _description(name, spec)}


def describe_table(engine: Engine, params: Params) -> Answer:
    """Describe a table."""
    with engine.store.read() as connection:
        table = find_table(connection, params["TableName"])
    return {"Table": _description(table.name, json.loads(table.spec))}


def update_table(engine: Engine, params: Params) -> Answer:
    """Add indexes, filled from the items that are there; start or end the stream."""
    name, updates = params["TableName"], params.get("GlobalSecondaryIndexUpdates", [])
    with engine.store.write() as connection:
        table = find_table(connection, name)
        spec = json.loads(table.spec)
        spec["AttributeDefinitions"] = params.get("AttributeDefinitions", spec["AttributeDefinitions"])
        spec["GlobalSecondaryIndexes"] += [update["Create"] for update in updates]
        if "StreamSpecification" in params:
            wanted = _stream(engine, params["StreamSpecification"])
            if wanted is not None and spec.get("Stream") is not None:
                raise invalid("Table already has an enabled stream")
            spec["Stream"] = wanted
            connection.execute("DELETE FROM stream_record WHERE dynamo_table = ?", (table.number,))
        _save(connection, name, spec)
        if updates:
            _fill_indexes(connection, find_table(connection, name))
        return {"TableDescription": _description(name, spec)}


def _stream(engine: Engine, wanted: dict[str, Any]) -> str | None:
    """Return the label of a new stream, None for none."""
    if not wanted["StreamEnabled"]:
        return None
    if wanted["StreamViewType"] != STREAM_VIEW:
        raise unknown(f"StreamViewType={wanted['StreamViewType']}")
    return datetime.fromtimestamp(engine.clock() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def update_time_to_live(engine: Engine, params: Params) -> Answer:
    """Name the attribute by which items expire; the items that are there follow it too."""
    name, wanted = params["TableName"], params["TimeToLiveSpecification"]
    with engine.store.write() as connection:
        spec = json.loads(find_table(connection, name).spec)
        spec["Ttl"] = wanted["AttributeName"] if wanted["Enabled"] else None
        _save(connection, name, spec)
        _fill_expiry(connection, find_table(connection, name))
    return {"TimeToLiveSpecification": wanted}


def _save(connection: sqlite3.Connection, name: str, spec: dict[str, Any]) -> None:
    connection.execute("UPDATE dynamo_table SET spec = ? WHERE name = ?", (json.dumps(spec), name))


def _description(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    description: dict[str, Any] = {
        "TableName": name,
        "TableStatus": "ACTIVE",
        "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}",
        "AttributeDefinitions": spec["AttributeDefinitions"],
        "KeySchema": spec["KeySchema"],
    }
    if spec["GlobalSecondaryIndexes"]:
        indexes = [{**index, "IndexStatus": "ACTIVE"} for index in spec["GlobalSecondaryIndexes"]]
        description["GlobalSecondaryIndexes"] = indexes
    if (label := spec.get("Stream")) is not None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW}
        description |= {"LatestStreamLabel": label, "LatestStreamArn": stream_arn(name, label)}
    return description


def _fill_indexes(connection: sqlite3.Connection, table: Table) -> None:
    """Enter all items of a table in its indexes."""
    for item_id, pk, sk, body in connection.execute(
        "SELECT id, pk, sk, body FROM item WHERE dynamo_table = ?", (table.number,)
    ).fetchall():
        connection.executemany(
            "INSERT OR IGNORE INTO entry (dynamo_index, hash, range, pk, sk, item) VALUES (?, ?, ?, ?, ?, ?)",
            [(*entry, pk, sk, item_id) for entry in entries_of(table, loads(body))],
        )


def _fill_expiry(connection: sqlite3.Connection, table: Table) -> None:
    """Set the expiry of all items of a table."""
    for item_id, body in connection.execute(
        "SELECT id, body FROM item WHERE dynamo_table = ?", (table.number,)
    ).fetchall():
        connection.execute("UPDATE item SET expires = ? WHERE id = ?", (expiry_of(table, loads(body)), item_id))
