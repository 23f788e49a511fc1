"""S3: whole objects, and the lifecycle rule that removes old ones."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.errors import ServiceError, unknown
from infra.embedded.storage.files import PIECE_BYTES, WrittenFile, find_named

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from infra.embedded.engine import Engine
    from infra.embedded.errors import Answer, Params

_DAY_MS: Final = 86_400_000
_LISTED: Final = 1000
_MOST_NAME_BYTES: Final = 1024
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404
_PRECONDITION_FAILED: Final = 412
_NO_SUCH_KEY: Final = ("NoSuchKey", "The specified key does not exist.")
_MOST_BYTES: Final = 5 * 1024**3
"""Of one PutObject: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html"""


def create_bucket(engine: Engine, params: Params) -> Answer:
    name = params["Bucket"]
    with engine.store.write() as connection:
        if connection.execute("INSERT OR IGNORE INTO bucket (name) VALUES (?)", (name,)).rowcount == 0:
            problem = "Your previous request to create the named bucket succeeded and you already own it."
            raise ServiceError("BucketAlreadyOwnedByYou", problem, 409, more={"BucketName": name})
    return {"Location": f"/{name}"}


def put_bucket_lifecycle_configuration(engine: Engine, params: Params) -> Answer:
    """Set after how many days objects go, by the start of their keys; in place of all earlier rules."""
    rules = params["LifecycleConfiguration"]["Rules"]
    for rule in rules:
        known = {"ID": rule.get("ID"), "Status": "Enabled", "Filter": rule["Filter"], "Expiration": rule["Expiration"]}
        if rule != known or rule["Filter"].keys() != {"Prefix"} or rule["Expiration"].keys() != {"Days"}:
            raise unknown("a lifecycle rule other than days for a prefix")
    with engine.store.write() as connection:
        number = _bucket(connection, params)
        connection.execute("DELETE FROM lifecycle_rule WHERE bucket = ?", (number,))
        connection.executemany(
            "INSERT INTO lifecycle_rule VALUES (?, ?, ?)",
            [(number, rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) for rule in rules],
        )
    return {}


def put_object(engine: Engine, params: Params) -> Answer:
    """Write an object whole, in place of one that is there. `Body`: bytes, or an open file, which is read to its end.

    The content is on the disk before the object names it. Raises BadDigest for a wrong `ChecksumSHA256`, and
    PreconditionFailed where `IfMatch` or `IfNoneMatch` does not hold.
    """
    name, wanted = params["Key"], params.get("ChecksumSHA256")
    if params.get("ChecksumAlgorithm", "SHA256") != "SHA256":
        raise unknown(f"the checksum {params['ChecksumAlgorithm']}")
    if not 1 <= len(name.encode()) <= _MOST_NAME_BYTES:
        raise ServiceError("KeyTooLongError", f"Your key is too long; at most {_MOST_NAME_BYTES} bytes")
    pieces = _pieces(params.get("Body", b""))
    first = next(pieces, b"")
    if len(first) < PIECE_BYTES:
        md5, sha256 = hashlib.md5(first, usedforsecurity=False).digest(), hashlib.sha256(first).digest()
        return _put(engine, params, WrittenFile(None, len(first), md5, sha256), first, wanted)
    try:
        with engine.files.written(chain([first], pieces), _MOST_BYTES) as written:
            return _put(engine, params, written, b"", wanted)
    except ValueError as error:
        raise ServiceError("EntityTooLarge", f"Your proposed upload is too large: {error}") from error


def copy_object(engine: Engine, params: Params) -> Answer:
    """Write an object with the content and the type of another one. Raises NoSuchKey."""
    bucket, _, name = params["CopySource"].partition("/")
    source = get_object(engine, {"Bucket": bucket, "Key": name})
    copied = {name: params[name] for name in ("Bucket", "Key", "ChecksumAlgorithm") if name in params}
    try:
        return {
            "CopyObjectResult": put_object(
                engine, copied | {"Body": source["Body"], "ContentType": source["ContentType"]}
            )
        }
    finally:
        if hasattr(source["Body"], "close"):
            source["Body"].close()


def _put(engine: Engine, params: Params, written: WrittenFile, content: bytes, wanted: str | None) -> Answer:
    sha256, etag = base64.b64encode(written.sha256).decode(), f'"{written.md5.hex()}"'
    if wanted not in {None, sha256}:
        raise ServiceError("BadDigest", "The SHA256 you specified did not match the calculated checksum.")
    kept_sha256 = sha256 if wanted or "ChecksumAlgorithm" in params else None
    content_type = params.get("ContentType", "binary/octet-stream")
    with engine.store.write() as connection:
        number = _bucket(connection, params)
        _check_preconditions(connection, params, number)
        replaced = connection.execute(
            "SELECT file FROM object WHERE bucket = ? AND name = ?", (number, params["Key"])
        ).fetchone()
        connection.execute(
            "INSERT OR REPLACE INTO object (bucket, name, type, etag, modified_ms, body, file, size, sha256) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(number, params["Key"], content_type, etag, engine.clock(), content),
                *(written.name, written.size, kept_sha256),
            ),
        )
    _remove_file(engine, replaced)
    return {"ETag": etag} | ({"ChecksumSHA256": kept_sha256} if kept_sha256 else {})


def _pieces(body: Any) -> Iterator[bytes]:
    """Cut a body into pieces of PIECE_BYTES; the last may be shorter."""
    if isinstance(body, bytes | bytearray):
        yield from (bytes(body[start : start + PIECE_BYTES]) for start in range(0, len(body), PIECE_BYTES))
        return
    if not hasattr(body, "read"):  # a number would become as many zeros
        raise unknown("an object whose content is not bytes")
    while piece := body.read(PIECE_BYTES):
        while len(piece) < PIECE_BYTES and (more := body.read(PIECE_BYTES - len(piece))):  # such as of a socket
            piece += more
        yield piece


def get_object(engine: Engine, params: Params) -> Answer:
    """Read an object. `Body`: bytes, or an open file for a large one.

    Raises NoSuchKey, and 304 if its ETag is that of `IfNoneMatch`.
    """
    earlier = None
    while True:
        body, content_type, etag, size, file, _, _ = _find(
            engine, params, ("NoSuchKey", "The specified key does not exist.")
        )
        if params.get("IfNoneMatch") == etag:
            raise ServiceError("304", "Not Modified", _NOT_MODIFIED)
        answer = {"ContentLength": size, "ContentType": content_type, "ETag": etag}
        if file is None:
            return answer | {"Body": body}
        try:
            return answer | {"Body": engine.files.open(file)}
        except FileNotFoundError as error:  # the object was replaced or deleted since; else its file is lost
            if file == earlier:
                raise ServiceError("InternalError", f"the file {file} of an object is missing", 500) from error
            earlier = file


def head_object(engine: Engine, params: Params) -> Answer:
    """Describe an object; its checksum only with `ChecksumMode`, and if the writer gave one."""
    _, content_type, etag, size, _, sha256, modified_ms = _find(engine, params, ("404", "Not Found"))
    answer = {
        "ContentLength": size,
        "ContentType": content_type,
        "ETag": etag,
        "LastModified": datetime.fromtimestamp(modified_ms // 1000, UTC),
    }
    return answer | ({"ChecksumSHA256": sha256} if sha256 and params.get("ChecksumMode") == "ENABLED" else {})


def _find(engine: Engine, params: Params, missing: tuple[str, str]) -> Any:
    with engine.store.read() as connection:
        number = _bucket(connection, params)
        found = connection.execute(
            "SELECT body, type, etag, coalesce(size, length(body)), file, sha256, modified_ms "
            "FROM object WHERE bucket = ? AND name = ?",
            (number, params["Key"]),
        ).fetchone()
    if found is None:
        raise ServiceError(*missing, _NOT_FOUND, more={"Key": params["Key"]})
    return found


def delete_object(engine: Engine, params: Params) -> Answer:
    """Remove an object; one that is not there is no error."""
    with engine.store.write() as connection:
        number = _bucket(connection, params)
        deleted = connection.execute(
            "DELETE FROM object WHERE bucket = ? AND name = ? RETURNING file", (number, params["Key"])
        ).fetchone()
    _remove_file(engine, deleted)
    return {}


def _remove_file(engine: Engine, row: tuple[str | None] | None) -> None:
    """Remove the file of a row that is gone. Housekeeping does it after a failure."""
    if row is not None and row[0] is not None:
        with suppress(OSError):
            engine.files.remove([row[0]])


def list_objects_v2(engine: Engine, params: Params) -> Answer:
    """List up to 1,000 objects. No function lists; tests and tools do."""
    with engine.store.read() as connection:
        found = connection.execute(
            "SELECT name, coalesce(size, length(body)), etag FROM object WHERE bucket = ? ORDER BY name LIMIT ?",
            (_bucket(connection, params), _LISTED + 1),
        ).fetchall()
    if len(found) > _LISTED:
        raise unknown(f"ListObjectsV2 of more than {_LISTED} objects")
    listed = [{"Key": name, "Size": size, "ETag": etag} for name, size, etag in found]
    answer: dict[str, Any] = {"Name": params["Bucket"], "KeyCount": len(listed), "IsTruncated": False}
    return answer | ({"Contents": listed} if listed else {})


def expire_objects(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Remove up to `most` objects that are older than a rule of their bucket says, and return how many.

    Their files go with `remove_unused_files`.
    """
    return connection.execute(
        "DELETE FROM object WHERE id IN (SELECT object.id FROM lifecycle_rule AS rule CROSS JOIN object "
        "WHERE object.bucket = rule.bucket AND modified_ms <= ? - ? * rule.days "
        "AND substr(name, 1, length(prefix)) = prefix LIMIT ?)",
        (now_ms, _DAY_MS, most),
    ).rowcount


def remove_unused_files(engine: Engine) -> int:
    """Remove files that belong to no object, and return how many."""

    def read() -> set[str]:
        with engine.store.read() as connection:
            return find_named(connection)

    return engine.files.remove_unused(read)


def _check_preconditions(connection: sqlite3.Connection, params: Params, bucket: int) -> None:
    """Compare the ETag of the object that a write would replace. Raises PreconditionFailed, NoSuchKey."""
    if not params.keys() & {"IfMatch", "IfNoneMatch"}:
        return
    if params.get("IfNoneMatch", "*") != "*":
        raise unknown("a write with IfNoneMatch other than *")
    row = connection.execute(
        "SELECT etag FROM object WHERE bucket = ? AND name = ?", (bucket, params["Key"])
    ).fetchone()
    if "IfMatch" in params and row is None:
        raise ServiceError("NoSuchKey", "The specified key does not exist.", _NOT_FOUND, more={"Key": params["Key"]})
    failed = "If-Match" if "IfMatch" in params and params["IfMatch"] != row[0] else None
    failed = "If-None-Match" if "IfNoneMatch" in params and row is not None else failed
    if failed is not None:
        problem = "At least one of the pre-conditions you specified did not hold"
        raise ServiceError("PreconditionFailed", problem, _PRECONDITION_FAILED, more={"Condition": failed})


def _bucket(connection: sqlite3.Connection, params: Params) -> int:
    row = connection.execute("SELECT id FROM bucket WHERE name = ?", (params["Bucket"],)).fetchone()
    if row is None:
        problem = "The specified bucket does not exist"
        raise ServiceError("NoSuchBucket", problem, _NOT_FOUND, more={"BucketName": params["Bucket"]})
    return int(row[0])
