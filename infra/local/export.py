"""`export`: projects, hashed API keys, quotas, secrets, endpoints, consumers and checks, for an import.

The stored files of checks are in a folder beside it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.storage.files import sync
from infra.local.embedded_aws import FOLDER, EmbeddedAws, session
from infra.local.settings import API_KEY, StartError, read_state_dir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

    from functions.files.store import FileStore

# Sealed attributes of rows: an export opens them, and an import seals them anew, because each place has its own key.
#
# An attribute has a path: its name, or the name of a map, a slash and a name in it.

ENDPOINT_BOXES: Final[dict[str, dict[str, str]]] = {
    "secret_box": {},
    "previous_secret_box": {},
    "headers_box": {"purpose": "headers"},
    "routing_key_box": {"purpose": "routing_key"},
}
"""Sealed attributes of an endpoint, and their encryption context beside the owner."""
CHECK_BOXES: Final[dict[str, dict[str, str]]] = {
    "env_boxes": {"purpose": "environment"},
    "report_box": {"purpose": "report"},
}
"""The same of a check. They are in the row of its source."""
PROJECT_SECRET_BOXES: Final[dict[str, dict[str, str]]] = {"box": {}}
"""The same of a secret that programs use without seeing it. All of its row is in the context."""

type Item = dict[str, Any]


def opened(kms: KMSClient, item: Item) -> Item:
    """Return a row without its sealed attributes, and their values in clear by path."""
    contexts = _contexts(item)
    row: Item = {
        name: {"M": dict(value["M"])} if "M" in value else value for name, value in item.items() if name not in contexts
    }
    secrets = {}
    for path, context in contexts.items():
        first, _, name = path.partition("/")
        box = item[first]["M"][name]["B"] if name else item[first]["B"]
        if name:
            del row[first]["M"][name]
        # An empty value has an empty box: KMS seals no empty text.
        answer = kms.decrypt(CiphertextBlob=box, EncryptionContext=context) if box else {"Plaintext": b""}
        secrets[path] = answer["Plaintext"].decode()
    return {"row": row, "secrets": secrets}


def sealed(kms: KMSClient, key_id: str, exported: Item) -> Item:
    """Return the row of an export with its attributes sealed by another key."""
    item: Item = exported["row"]
    for path, secret in exported["secrets"].items():
        context = _owner(item) | _more(item, path)
        box = b""
        if secret:
            box = kms.encrypt(KeyId=key_id, Plaintext=secret.encode(), EncryptionContext=context)["CiphertextBlob"]
        first, _, name = path.partition("/")
        if name:
            item[first]["M"][name] = {"B": box}
        else:
            item[first] = {"B": box}
    return item


def _contexts(item: Item) -> dict[str, dict[str, str]]:
    """Return the encryption context of each sealed attribute, by its path."""
    paths = []
    for name in _boxes(item).keys() & item.keys():
        paths += [f"{name}/{part}" for part in item[name]["M"]] if "M" in item[name] else [name]
    return {path: _owner(item) | _more(item, path) for path in paths}


def _boxes(item: Item) -> dict[str, dict[str, str]]:
    match item["sk"]["S"].partition("#")[0]:
        case "ENDPOINT":
            return ENDPOINT_BOXES
        case "SOURCE":
            return CHECK_BOXES
        case "HOOK":
            return {"box": {"purpose": "inbound"}}
        case "SECRET":
            return PROJECT_SECRET_BOXES
    return {}


def _more(item: Item, path: str) -> dict[str, str]:
    return _boxes(item)[path.partition("/")[0]]


def _owner(item: Item) -> dict[str, str]:
    """Return the owner of the sealed attributes of a row in the encryption context."""
    if item["sk"]["S"] == "HOOK":
        project_id, check_id = (part["S"] for part in item["owner"]["L"])
        return {"project_id": project_id, "endpoint_id": f"check:{check_id}"}
    project_id, (kind, _, owner_id) = item["pk"]["S"].removeprefix("PROJECT#"), item["sk"]["S"].partition("#")
    if kind == "SECRET":
        # Imported late: a missing folder is told at once, without the imports of the functions.
        from functions.aws.dynamodb.items import from_item  # noqa: PLC0415
        from functions.project_secrets.store import secret_of  # noqa: PLC0415

        return secret_of(from_item(item)).context(project_id)
    return {"project_id": project_id, "endpoint_id": owner_id if kind == "ENDPOINT" else f"check:{owner_id}"}


# The rows of a project that an export moves, beside its own: endpoints, consumers of the event log, and checks.
#
# Results, deliveries, the event log and the history of checks stay.

_OF_CHECKS: Final = ("SOURCE#", "GOOD#", "SLUG#", "CHECKS", "QUIET", "STATUS", "CHECK#")
"""In this order: a check is due as soon as its row is there."""
_NOT_MOVED: Final = {"busy_until_ms", "open_run_id"}
"""Attributes about work that went on when the row was read: the lock of a call, and a run that stays behind."""


@dataclass(frozen=True, slots=True)
class MovedRows:
    """Reads the rows of projects. `pk`: the partition key that a project has in each of the tables."""

    dynamodb: DynamoDBClient
    deliveries_table: str
    checks_table: str

    def of_deliveries(self, pk: str) -> Iterator[Item]:
        """Yield the endpoints and secrets of a project, and its consumers at the start of a new log."""
        for prefix in ("ENDPOINT#", "ENDPOINTS", "SECRET#"):
            yield from self._query(self.deliveries_table, pk, prefix)
        for consumer in self._query(self.deliveries_table, f"LOG#{pk.removeprefix('PROJECT#')}", "CONSUMER#"):
            yield {**consumer, "position": {"N": "0"}}

    def of_checks(self, pk: str) -> Iterator[Item]:
        """Yield the checks of a project with secrets, badges and triggers, its quiet times and its status page."""
        rows = [row for prefix in _OF_CHECKS for row in self._query(self.checks_table, pk, prefix)]
        triggers = self._query(self.checks_table, f"TRIGGERS#{pk.removeprefix('PROJECT#')}", "")
        for key in (key for row in rows for key in _keys_of_tokens(row)):
            found = self.dynamodb.get_item(TableName=self.checks_table, Key=key, ConsistentRead=True).get("Item")
            yield from [] if found is None else [found]
        yield from triggers
        yield from rows

    def _query(self, table: str, pk: str, prefix: str) -> Iterator[Item]:
        condition = "pk = :pk AND begins_with(sk, :sk)" if prefix else "pk = :pk"
        values = {":pk": {"S": pk}} | ({":sk": {"S": prefix}} if prefix else {})
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, ConsistentRead=True
        )
        for item in (item for page in pages for item in page["Items"]):
            if prefix.endswith("#") or not prefix or item["sk"]["S"] == prefix:
                yield {name: value for name, value in item.items() if name not in _NOT_MOVED}


def _keys_of_tokens(row: Item) -> Iterator[dict[str, Any]]:
    """Yield the keys of the rows by which others find a check or a status page."""
    sk = row["sk"]["S"]
    if sk.startswith("CHECK#"):
        yield {"pk": {"S": f"HOOK#{sk.removeprefix('CHECK#')}"}, "sk": {"S": "HOOK"}}
        yield {"pk": {"S": f"BADGE#{row['badge_token']['S']}"}, "sk": {"S": "BADGE"}}
        if "ping_hash" in row:
            yield {"pk": {"S": f"PING#{row['ping_hash']['S']}"}, "sk": {"S": "PING"}}
    if sk == "STATUS":
        yield {"pk": {"S": f"STATUS#{row['token']['S']}"}, "sk": {"S": "STATUS"}}


# The stored files that an export moves: those that checks hold. Problems, and files that nothing holds, stay.
#
# Their descriptions are in the export, and their bytes in a folder beside it.

_PAGE = 100


def folder_of(export: Path) -> Path:
    return export.with_name(f"{export.name}.files")


def held_files(store: FileStore, project_ids: Iterable[str]) -> list[dict[str, Any]]:
    return [described for project_id in project_ids for described in _held_files(store, project_id)]


def _held_files(store: FileStore, project_id: str) -> Iterator[dict[str, Any]]:
    # Imported late: a missing folder is told at once, without the imports of the functions.
    from functions.checks.keys import HOLDER  # noqa: PLC0415

    after = None
    while True:
        page = store.page(project_id, _PAGE, after)
        for file in page.rows:
            holders = [one for one in store.holders(project_id, file.sha256) if one.startswith(HOLDER)]
            if holders:
                yield {
                    "project_id": project_id,
                    "sha256": file.sha256,
                    "size": file.size,
                    "media_type": file.media_type,
                    "object_key": file.object_key,
                    "created_at": file.created_at,
                    "holders": holders,
                }
        after = page.next_created_key
        if after is None:
            return


def write_contents(s3: S3Client, bucket: str, files: Iterable[dict[str, Any]], folder: Path) -> None:
    """Write the bytes of files into a new folder, for its owner only. Raises OSError."""
    folder.mkdir(mode=0o700)
    for file in files:
        body = s3.get_object(Bucket=bucket, Key=file["object_key"])["Body"]
        with (folder / Path(file["object_key"]).name).open("xb") as target:
            shutil.copyfileobj(body, target)
            target.flush()
            os.fsync(target.fileno())
        body.close()
    sync(folder)


VERSION: Final = 4
_TABLES: Final = tuple(f"rustbox-local-{name}Table" for name in ("Projects", "Deliveries", "Checks", "Submissions"))
_BUCKET: Final = "rustbox-local-payloadsbucket"
SECTIONS: Final = ("projects", "endpoints", "checks")
"""Rows of the projects table, of the deliveries table (also secrets and consumers), and of the checks table."""
FILES: Final = "files"
"""The section of stored files."""


def run_export(file: str) -> None:
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
    # Imported late: a missing folder is told at once, without the imports of the functions.
    from functions.files.store import FileStore  # noqa: PLC0415
    from functions.projects.store import digest  # noqa: PLC0415

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
