"""`export`: projects, hashed API keys, quotas, and endpoints with their secrets, for `make import`."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.local.aws.embedded_aws import FOLDER, EmbeddedAws
from infra.local.aws.resources import session
from infra.local.errors import StartError
from infra.local.settings import API_KEY, read_state_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

VERSION: Final = 1
BOXES: Final[dict[str, dict[str, str]]] = {
    "secret_box": {},
    "previous_secret_box": {},
    "headers_box": {"purpose": "headers"},
    "routing_key_box": {"purpose": "routing_key"},
}
"""Attributes of endpoints that KMS sealed, and their encryption context beside the owner."""
_TABLES: Final = ("rustbox-local-ProjectsTable", "rustbox-local-DeliveriesTable")
_LOCK: Final = "busy_until_ms"  # of a call that ran when the row was read

type Item = dict[str, Any]


def run(file: str) -> None:
    """Write the file, for its owner only: it holds the endpoints' secrets in clear. Raises StartError."""
    state_dir, target = read_state_dir(os.environ, production=True), Path(file).absolute()
    if not (state_dir / FOLDER).exists():
        raise StartError(f"{state_dir} holds no state: set RUSTBOX_STATE_DIR")
    EmbeddedAws(state_dir, "NORMAL", prepare=False).answer_clients()
    aws = session()
    document = document_of(aws.client("dynamodb"), aws.client("kms"), *_TABLES)
    try:
        _write(target, document)
    except OSError as error:
        raise StartError(str(error)) from error
    sys.stdout.write(f"{target}: {len(document['projects'])} rows of projects and {len(document['endpoints'])} of ")
    sys.stdout.write("endpoints, with secrets in clear. Delete it after the import.\n")


def document_of(dynamodb: DynamoDBClient, kms: KMSClient, projects_table: str, deliveries_table: str) -> Item:
    """Return the whole document."""
    # Imported late: a missing folder is told at once, without the imports of the functions.
    from functions.projects.rows import digest  # noqa: PLC0415

    public = {f"KEY#{digest(API_KEY)}"}  # of `make up`; it must open nothing elsewhere
    pages = dynamodb.get_paginator("scan").paginate(TableName=projects_table, ConsistentRead=True)
    rows = [item for page in pages for item in page["Items"]]
    rows = [
        item
        for item in rows
        if item["pk"]["S"] not in public and f"KEY#{item.get('digest', {}).get('S')}" not in public
    ]
    projects = [item["pk"]["S"] for item in rows if item["sk"]["S"] == "PROJECT"]
    endpoints = [
        _opened(kms, item) for project in projects for item in _endpoint_rows(dynamodb, deliveries_table, project)
    ]
    return {"version": VERSION, "projects": rows, "endpoints": endpoints}


def owner_of(item: Item) -> dict[str, str]:
    """Return the encryption context of an endpoint's boxes."""
    return {
        "project_id": item["pk"]["S"].removeprefix("PROJECT#"),
        "endpoint_id": item["sk"]["S"].removeprefix("ENDPOINT#"),
    }


def _endpoint_rows(dynamodb: DynamoDBClient, table: str, pk: str) -> Iterator[Item]:
    """Return a project's endpoints and the row with their number. Deliveries are not moved."""
    for condition, prefix in (("begins_with(sk, :sk)", "ENDPOINT#"), ("sk = :sk", "ENDPOINTS")):
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression=f"pk = :pk AND {condition}",
            ExpressionAttributeValues={":pk": {"S": pk}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        yield from (item for page in pages for item in page["Items"])


def _opened(kms: KMSClient, item: Item) -> Item:
    """Open the boxes: another machine or account has another key."""
    found: Item = {name: value for name, value in item.items() if name not in BOXES and name != _LOCK}
    secrets = {
        name: kms.decrypt(CiphertextBlob=item[name]["B"], EncryptionContext=owner_of(item) | more)["Plaintext"].decode()
        for name, more in BOXES.items()
        if name in item
    }
    return {"row": found, "secrets": secrets}


def _write(target: Path, document: Item) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, default=_encode)
        file.flush()
        os.fsync(file.fileno())


def _encode(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}
