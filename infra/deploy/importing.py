"""`import`: writes an export of one machine into the tables of a stage. The stage's own key seals the secrets anew."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from infra.deploy.errors import DeployError
from infra.deploy.importing_files import import_files
from infra.deploy.resources.stack import Stack
from infra.local.state.export import FILES, SECTIONS, VERSION, folder_of, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from infra.deploy.progress import Progress
    from infra.deploy.target import Target


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
