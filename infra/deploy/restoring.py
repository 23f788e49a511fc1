"""`restore`: a table as it was at a point in time, and its missing rows put back into the table of the stage."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.deploy.errors import DeployError
from infra.deploy.importing import put_missing
from infra.deploy.resources.stack import Stack

if TYPE_CHECKING:
    from infra.deploy.progress import Progress
    from infra.deploy.target import Target

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
