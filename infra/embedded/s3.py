"""S3: whole objects, and the lifecycle rule that removes old ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.errors import ServiceError, unknown

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine

_DAY_MS: Final = 86_400_000
_LISTED: Final = 1000
_MOST_NAME_BYTES: Final = 1024
_NOT_FOUND: Final = 404


def create_bucket(engine: Engine, params: Params) -> Answer:
    """Create a bucket."""
    name = params["Bucket"]
    with engine.store.write() as connection:
        if connection.execute("INSERT OR IGNORE INTO bucket (name) VALUES (?)", (name,)).rowcount == 0:
            problem = "Your previous request to create the named bucket succeeded and you already own it."
            raise ServiceError("BucketAlreadyOwnedByYou", problem, 409, more={"BucketName": name})
    return {"Location": f"/{name}"}


def put_bucket_lifecycle_configuration(engine: Engine, params: Params) -> Answer:
    """Set after how many days objects go; one rule over all of them."""
    (rule,) = params["LifecycleConfiguration"]["Rules"]
    plain = {"ID": rule.get("ID"), "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": rule["Expiration"]}
    if rule != plain or rule["Expiration"].keys() != {"Days"}:
        raise unknown("a lifecycle rule other than days for all objects")
    with engine.store.write() as connection:
        number = _bucket(connection, params)
        days = rule["Expiration"]["Days"]
        connection.execute("UPDATE bucket SET expiration_days = ? WHERE id = ?", (days, number))
    return {}


def put_object(engine: Engine, params: Params) -> Answer:
    """Write an object whole, in place of one that is there."""
    content, name = params.get("Body", b""), params["Key"]
    if not isinstance(content, bytes | bytearray):  # a number would become as many zeros
        raise unknown("an object whose content is not bytes")
    if not 1 <= len(name.encode()) <= _MOST_NAME_BYTES:
        raise ServiceError("KeyTooLongError", f"Your key is too long; at most {_MOST_NAME_BYTES} bytes")
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    with engine.store.write() as connection:
        values = (_bucket(connection, params), name, params.get("ContentType", "binary/octet-stream"))
        connection.execute(
            "INSERT OR REPLACE INTO object (bucket, name, type, etag, modified_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
            (*values, etag, engine.clock(), content),
        )
    return {"ETag": etag}


def get_object(engine: Engine, params: Params) -> Answer:
    """Read an object whole. Raises NoSuchKey."""
    with engine.store.read() as connection:
        number = _bucket(connection, params)
        found = connection.execute(
            "SELECT body, type, etag FROM object WHERE bucket = ? AND name = ?", (number, params["Key"])
        ).fetchone()
    if found is None:
        raise ServiceError("NoSuchKey", "The specified key does not exist.", _NOT_FOUND, more={"Key": params["Key"]})
    body, content_type, etag = found
    return {"Body": body, "ContentLength": len(body), "ContentType": content_type, "ETag": etag}


def delete_object(engine: Engine, params: Params) -> Answer:
    """Remove an object; one that is not there is no error."""
    with engine.store.write() as connection:
        number = _bucket(connection, params)
        connection.execute("DELETE FROM object WHERE bucket = ? AND name = ?", (number, params["Key"]))
    return {}


def list_objects_v2(engine: Engine, params: Params) -> Answer:
    """List up to 1,000 objects. No function lists; tests and tools do."""
    with engine.store.read() as connection:
        found = connection.execute(
            "SELECT name, length(body), etag FROM object WHERE bucket = ? ORDER BY name LIMIT ?",
            (_bucket(connection, params), _LISTED + 1),
        ).fetchall()
    if len(found) > _LISTED:
        raise unknown(f"ListObjectsV2 of more than {_LISTED} objects")
    listed = [{"Key": name, "Size": size, "ETag": etag} for name, size, etag in found]
    answer: dict[str, Any] = {"Name": params["Bucket"], "KeyCount": len(listed), "IsTruncated": False}
    return answer | ({"Contents": listed} if listed else {})


def expire_objects(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Remove up to `most` objects that are older than their bucket's rule says, and return how many."""
    return connection.execute(
        "DELETE FROM object WHERE id IN (SELECT object.id FROM bucket CROSS JOIN object "
        "WHERE object.bucket = bucket.id AND modified_ms <= ? - ? * expiration_days LIMIT ?)",
        (now_ms, _DAY_MS, most),
    ).rowcount


def _bucket(connection: sqlite3.Connection, params: Params) -> int:
    row = connection.execute("SELECT id FROM bucket WHERE name = ?", (params["Bucket"],)).fetchone()
    if row is None:
        problem = "The specified bucket does not exist"
        raise ServiceError("NoSuchBucket", problem, _NOT_FOUND, more={"BucketName": params["Bucket"]})
    return int(row[0])
