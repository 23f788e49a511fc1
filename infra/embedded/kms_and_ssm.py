"""KMS: symmetric keys and encryption contexts. The keys themselves are in `kms_keys`."""

import sqlite3
import uuid
from collections.abc import Mapping
from typing import Final

from infra.embedded.engine import ACCOUNT_ID, REGION, Engine
from infra.embedded.errors import Answer, Params, ServiceError, invalid, unknown

_ARN: Final = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/"
_MOST_PLAINTEXT_BYTES: Final = 4096
_INTERNAL: Final = 500


def create_key(engine: Engine, params: Params) -> Answer:
    with engine.store.write() as connection:
        return {"KeyMetadata": _metadata(add_key(engine, connection, params.get("Description", "")))}


def add_key(engine: Engine, connection: sqlite3.Connection, description: str) -> str:
    """Make a key within a transaction. Its file is written first: a key without a row does no harm."""
    key_id = str(uuid.uuid4())
    engine.keys.create(key_id)
    connection.execute("INSERT INTO kms_key VALUES (?, ?, ?)", (key_id, description, engine.clock()))
    return key_id


def create_alias(engine: Engine, params: Params) -> Answer:
    name = params["AliasName"]
    with engine.store.write() as connection:
        row = (name, find_key(connection, params["TargetKeyId"]))
        if connection.execute("INSERT OR IGNORE INTO kms_alias VALUES (?, ?)", row).rowcount == 0:
            raise ServiceError("AlreadyExistsException", f"An alias with the name {name} already exists")
    return {}


def describe_key(engine: Engine, params: Params) -> Answer:
    with engine.store.read() as connection:
        return {"KeyMetadata": _metadata(find_key(connection, params["KeyId"]))}


def encrypt(engine: Engine, params: Params) -> Answer:
    """Encrypt up to 4,096 bytes, bound to the encryption context."""
    plaintext = bytes(params["Plaintext"])
    if not 1 <= len(plaintext) <= _MOST_PLAINTEXT_BYTES:
        raise invalid(f"Plaintext must have 1 to {_MOST_PLAINTEXT_BYTES} bytes; got {len(plaintext)}")
    with engine.store.read() as connection:
        key_id = find_key(connection, params["KeyId"])
    box = seal(engine, key_id, plaintext, params.get("EncryptionContext", {}))
    return {"CiphertextBlob": box, "KeyId": _ARN + key_id, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def decrypt(engine: Engine, params: Params) -> Answer:
    """Decrypt for the same context. Raises InvalidCiphertextException, IncorrectKeyException."""
    wanted = None
    if "KeyId" in params:
        with engine.store.read() as connection:
            wanted = find_key(connection, params["KeyId"])
    key_id, plaintext = unseal(engine, bytes(params["CiphertextBlob"]), params.get("EncryptionContext", {}))
    if wanted not in {None, key_id}:
        problem = "The key ID in the request does not identify a CMK that can perform this operation."
        raise ServiceError("IncorrectKeyException", problem)
    return {"Plaintext": plaintext, "KeyId": _ARN + key_id, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def seal(engine: Engine, key_id: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt with a key that exists."""
    try:
        return engine.keys.seal(key_id, plaintext, context)
    except KeyError:
        raise _lost(key_id) from None


def unseal(engine: Engine, box: bytes, context: Mapping[str, str]) -> tuple[str, bytes]:
    """Return the key's id and the plaintext of a box."""
    try:
        return engine.keys.open(box, context)
    except ValueError as error:
        raise ServiceError("InvalidCiphertextException", str(error)) from None
    except KeyError as error:
        (key_id,) = error.args
    with engine.store.read() as connection:
        if connection.execute("SELECT 1 FROM kms_key WHERE id = ?", (key_id,)).fetchone() is None:
            raise ServiceError("InvalidCiphertextException", "sealed by a key that does not exist")
    raise _lost(key_id)


def find_key(connection: sqlite3.Connection, name: str) -> str:
    """Return a key's id by its id, ARN or alias. Raises NotFoundException."""
    sql = "SELECT key FROM kms_alias WHERE name = :name UNION SELECT id FROM kms_key WHERE id = :name"
    row = connection.execute(sql, {"name": name.removeprefix(_ARN)}).fetchone()
    if row is None:
        raise ServiceError("NotFoundException", f"Key {name!r} does not exist")
    return str(row[0])


def _metadata(key_id: str) -> dict[str, str]:
    return {"KeyId": key_id, "Arn": _ARN + key_id}


def _lost(key_id: str) -> ServiceError:
    problem = f"the file of master keys has no key {key_id}: restore it from the backup that fits the database"
    return ServiceError("KMSInternalException", problem, _INTERNAL)


# SSM: parameters. A SecureString is sealed by a master key, so that a copy of the database does not show it.

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
        kept = (
            seal(engine, _parameter_key(engine, connection), value, {"parameter": name})
            if kind == "SecureString"
            else value
        )
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


def _parameter_key(engine: Engine, connection: sqlite3.Connection) -> str:
    try:
        return find_key(connection, _KEY_ALIAS)
    except ServiceError:
        key_id = add_key(engine, connection, "Seals parameters.")
        connection.execute("INSERT INTO kms_alias VALUES (?, ?)", (_KEY_ALIAS, key_id))
        return key_id
