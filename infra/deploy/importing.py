"""`import`: writes an export of one machine into the tables of a stage. The stage's own key seals the secrets anew."""

import base64
import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.deploy.stack import Stack
from infra.deploy.target import DeployError, Progress, Target
from infra.local.export import FILES, SECTIONS, VERSION, folder_of, sealed

# Write the stored files of an export into a stage: their bytes into the bucket, then their rows.

_NO_LIMIT_BYTES = 1 << 60
"""The import moves what a project had; its quota decides about later files."""


def import_files(
    target: Target, resources: Mapping[str, str], files: Iterable[Mapping[str, Any]], folder: Path
) -> tuple[int, int]:
    """Write the missing files; return how many were written, and how many were there. Raises DeployError."""
    # Imported late: most imports have no files.
    from functions.clock import now_ms  # noqa: PLC0415
    from functions.files.model import KEPT_MS, File, FileState  # noqa: PLC0415
    from functions.files.objects import checksum  # noqa: PLC0415
    from functions.files.store import FileStore  # noqa: PLC0415

    store, s3 = FileStore(resources["SubmissionsTable"], target.client("dynamodb")), target.client("s3")
    written = present = 0
    for exported in files:
        described = {name: value for name, value in exported.items() if name != "holders"}
        file = File(**described, due_at_ms=now_ms() + KEPT_MS, state=FileState.STORED)
        if store.get(file.project_id, file.sha256) is None:
            try:
                content = (folder / Path(file.object_key).name).open("rb")
            except OSError as error:
                raise DeployError(f"{error}: the folder {folder.name} belongs beside the export") from error
            with content:
                s3.put_object(
                    Bucket=resources["PayloadsBucket"],
                    Key=file.object_key,
                    Body=content,
                    ContentType=file.media_type,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=checksum(file),
                )
            store.create(file, _NO_LIMIT_BYTES)
            written += 1
        else:
            present += 1
        for holder in exported["holders"]:
            store.hold(file.project_id, [file.sha256], holder)
    return written, present


def import_file(target: Target, path: Path, progress: Progress) -> None:
    """Write the missing rows and objects, so that repeating it is safe. Raises DeployError."""
    document, stack = _read(path), Stack(target, progress)
    if stack.describe() is None:
        raise DeployError(f"there is no stack {target.stack_name}: run `make deploy STAGE={target.stage}` first")
    resources = stack.resources()
    dynamodb, kms = target.client("dynamodb"), target.client("kms")
    # Before the checks that name them, which may be due at once.
    new, old = import_files(target, resources, document[FILES], folder_of(path))
    if new or old:
        progress.step("import", f"{new} stored files written, {old} were there already")
    new = 0
    # Projects last: one is usable when its row is there.
    for section, table in (("endpoints", "DeliveriesTable"), ("checks", "ChecksTable")):
        for exported in document[section]:
            item = sealed(kms, resources["EndpointSecretsKey"], _bytes(exported))
            new += put_missing(dynamodb, resources[table], item)
    new += sum(put_missing(dynamodb, resources["ProjectsTable"], _bytes(item)) for item in document["projects"])
    old = sum(len(document[section]) for section in SECTIONS) - new
    progress.step("import", f"{new} rows written, {old} were there already; delete {path}, it holds secrets")


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeployError(f"{path} cannot be read: {error}") from error
    if document.get("version") != VERSION:
        raise DeployError(f"{path} is no export of this version: make it anew with `make export FILE={path}`")
    return document


def put_missing(dynamodb: Any, table: str, item: dict[str, Any]) -> bool:
    """Write an item unless it exists; tell whether it was written."""
    try:
        dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _bytes(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"base64"} and isinstance(value["base64"], str):
            return base64.b64decode(value["base64"])
        return {name: _bytes(part) for name, part in value.items()}
    return [_bytes(part) for part in value] if isinstance(value, list) else value


# `restore`: a table as it was at a point in time, and its missing rows put back into the table of the stage.

_MAX_NAME_CHARS = 255


def restore(target: Target, table: str, text: str, progress: Progress) -> None:
    """Restore into a new table, then write the rows that the table of the stage lacks. Raises DeployError.

    `table`: its name in template.yaml. `text`: RFC 3339 with a time zone. Repeating it is safe.
    """
    stack = Stack(target, progress)
    at, name = _parsed(text), stack.resources().get(table) if stack.describe() is not None else None
    if name is None or not table.endswith("Table"):
        raise DeployError(f"the stack {target.stack_name} has no table {table}: name one of template.yaml")
    dynamodb = target.client("dynamodb")
    suffix = f"-at-{at:%Y%m%dT%H%M%SZ}"
    copy = name[: _MAX_NAME_CHARS - len(suffix)] + suffix
    try:
        dynamodb.restore_table_to_point_in_time(SourceTableName=name, TargetTableName=copy, RestoreDateTime=at)
        progress.step("restore", f"{copy} is being created; a small table takes some minutes")
    except dynamodb.exceptions.TableAlreadyExistsException:
        progress.step("restore", f"{copy} exists")
    except dynamodb.exceptions.TableInUseException:
        progress.step("restore", f"{copy} exists")
    dynamodb.get_waiter("table_exists").wait(TableName=copy, WaiterConfig={"Delay": 10, "MaxAttempts": 1_000})
    written = present = 0
    for item in _items(dynamodb, copy):
        if put_missing(dynamodb, name, item):
            written += 1
        else:
            present += 1
    progress.step("restore", f"{written} missing rows written into {name}, {present} were there")
    progress.plain(f"The copy costs its storage until you delete it: aws dynamodb delete-table --table-name {copy}")


def _parsed(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise DeployError(f"the time must be RFC 3339 with a zone, such as 2026-11-30T12:00:00Z; got {text}")
    return at.astimezone(UTC)


def _items(dynamodb: Any, name: str) -> Any:
    """Yield the rows that have not expired."""
    now_secs = time.time()
    for page in dynamodb.get_paginator("scan").paginate(TableName=name):
        for item in page["Items"]:
            if "ttl" not in item or float(item["ttl"]["N"]) > now_secs:
                yield item
