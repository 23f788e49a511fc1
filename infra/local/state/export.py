"""`export`: projects, hashed API keys, quotas, endpoints, consumers and checks, with their secrets, for an import.

The stored files of checks are in a folder beside it.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.storage.group_flush import sync
from infra.local.aws.embedded_aws import FOLDER, EmbeddedAws
from infra.local.aws.resources import session
from infra.local.errors import StartError
from infra.local.settings import API_KEY, read_state_dir
from infra.local.state.moved_files import folder_of, held_files, write_contents
from infra.local.state.moved_rows import MovedRows
from infra.local.state.sealed_rows import opened

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

VERSION: Final = 3
_TABLES: Final = tuple(f"rustbox-local-{name}Table" for name in ("Projects", "Deliveries", "Checks", "Submissions"))
_BUCKET: Final = "rustbox-local-payloadsbucket"
SECTIONS: Final = ("projects", "endpoints", "checks")
"""Rows of the projects table, of the deliveries table (also consumers), and of the checks table."""
FILES: Final = "files"
"""The section of stored files."""

type Item = dict[str, Any]


def run(file: str) -> None:
    """Write the file, for its owner only: it holds secrets of endpoints and checks in clear. Raises StartError."""
    state_dir, target = read_state_dir(os.environ, production=True), Path(file).absolute()
    if not (state_dir / FOLDER).exists():
        raise StartError(f"{state_dir} holds no state: set RUSTBOX_STATE_DIR")
    EmbeddedAws(state_dir, "NORMAL", prepare=False).answer_clients()
    aws = session()
    document = document_of(aws.client("dynamodb"), aws.client("kms"), *_TABLES)
    try:
        write_contents(aws.client("s3"), _BUCKET, document[FILES], folder_of(target))
        _write(target, document)
    except OSError as error:
        raise StartError(str(error)) from error
    counts = ", ".join(f"{len(document[name])} of {name}" for name in (*SECTIONS, FILES))
    sys.stdout.write(f"{target}: rows: {counts}; with secrets in clear, and {folder_of(target).name} with the files. ")
    sys.stdout.write("Delete both after the import.\n")


def document_of(
    dynamodb: DynamoDBClient,
    kms: KMSClient,
    projects_table: str,
    deliveries_table: str,
    checks_table: str,
    submissions_table: str,
) -> Item:
    """Return the whole document."""
    # Imported late: a missing folder is told at once, without the imports of the functions.
    from functions.files.store import FileStore  # noqa: PLC0415
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
    moved = MovedRows(dynamodb, deliveries_table, checks_table)
    endpoints = [opened(kms, item) for project in projects for item in moved.of_deliveries(project)]
    checks = [opened(kms, item) for project in projects for item in moved.of_checks(project)]
    project_ids = [project.removeprefix("PROJECT#") for project in projects]
    files = held_files(FileStore(submissions_table, dynamodb), project_ids)
    return {"version": VERSION, "projects": rows, "endpoints": endpoints, "checks": checks, FILES: files}


def _write(target: Path, document: Item) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, default=_encode)
        file.flush()
        os.fsync(file.fileno())
    sync(target.parent)


def _encode(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}
