"""SSM: parameters. A SecureString is sealed by a master key, so that a copy of the database does not show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.embedded.errors import ServiceError, invalid, unknown
from infra.embedded.kms import add_key, find_key, seal, unseal

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.engine import Engine
    from infra.embedded.errors import Answer, Params

_KEY_ALIAS: Final = "alias/aws/ssm"
_MOST_BYTES: Final = 4096


def put_parameter(engine: Engine, params: Params) -> Answer:
    """Write a parameter; in place of one that is there only with `Overwrite`."""
    name, kind, value = params["Name"], params.get("Type", "String"), params["Value"].encode()
    if kind not in {"String", "SecureString"}:
        raise unknown(f"parameters of type {kind}")
    if not 1 <= len(value) <= _MOST_BYTES:
        raise invalid(f"Value must have 1 to {_MOST_BYTES} bytes; got {len(value)}")
    with engine.store.write() as connection:
        row = connection.execute("SELECT version FROM parameter WHERE name = ?", (name,)).fetchone()
        if row is not None and not params.get("Overwrite", False):
            raise ServiceError("ParameterAlreadyExists", "The parameter already exists. Set the overwrite option.")
        version = row[0] + 1 if row else 1
        kept = seal(engine, _key(engine, connection), value, {"parameter": name}) if kind == "SecureString" else value
        connection.execute(
            "INSERT OR REPLACE INTO parameter VALUES (?, ?, ?, ?, ?)", (name, kind, kept, version, engine.clock())
        )
    return {"Version": version, "Tier": "Standard"}


def get_parameter(engine: Engine, params: Params) -> Answer:
    """Read a parameter. Raises ParameterNotFound."""
    name = params["Name"]
    with engine.store.read() as connection:
        sql = "SELECT type, value, version FROM parameter WHERE name = ?"
        row = connection.execute(sql, (name,)).fetchone()
    if row is None:
        raise ServiceError("ParameterNotFound", f"Parameter {name} not found.")
    kind, value, version = row
    if kind == "SecureString":
        if not params.get("WithDecryption", False):
            raise unknown("reading a SecureString without WithDecryption")
        _, value = unseal(engine, value, {"parameter": name})
    return {"Parameter": {"Name": name, "Type": kind, "Value": value.decode(), "Version": version}}


def _key(engine: Engine, connection: sqlite3.Connection) -> str:
    try:
        return find_key(connection, _KEY_ALIAS)
    except ServiceError:
        key_id = add_key(engine, connection, "Seals parameters.")
        connection.execute("INSERT INTO kms_alias VALUES (?, ?)", (_KEY_ALIAS, key_id))
        return key_id
