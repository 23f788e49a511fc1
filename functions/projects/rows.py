"""Rows of the projects table.

PROJECT#<id>    PROJECT             a project
PROJECTS        <created_at>#<id>   list entry of a project, without other attributes
KEY#<sha256>    KEY                 an API key, found by its hash
PROJECT#<id>    KEY#<key id>        list entry of an API key, with its digest
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import key
from functions.aws.dynamodb.row_codec import read, write
from functions.projects.model import KeyRecord, Project, ProjectRecord

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Key

PROJECT_SK = "PROJECT"
KEY_SK = "KEY"
LIST_PK = "PROJECTS"
LISTED_KEY = "KEY#"

type Row = dict[str, Any]


def project_pk(project_id: str) -> str:
    """Return the partition key of a project and of the list of its keys."""
    return f"PROJECT#{project_id}"


def project_key(project_id: str) -> Key:
    """Return the primary key of a project."""
    return key(project_pk(project_id), PROJECT_SK)


def project_row(record: ProjectRecord) -> Row:
    """Return the row of a project."""
    return {**write(record), "pk": project_pk(record.project.project_id), "sk": PROJECT_SK}


def to_project(row: Row) -> Project:
    """Decode a project's row."""
    return read(Project, {**row, "project_id": _id_of_project(row)})


def to_project_record(row: Row) -> ProjectRecord:
    """Decode a project's row with the attributes for administrators."""
    return read(ProjectRecord, {**row, "project_id": _id_of_project(row)})


def _id_of_project(row: Row) -> str:
    return str(row["pk"]).removeprefix("PROJECT#")


def digest(api_key: str) -> str:
    """Return the SHA-256 of a key. The key itself is not stored."""
    return hashlib.sha256(api_key.encode(errors="surrogatepass")).hexdigest()


def key_key(key_digest: str) -> Key:
    """Return the primary key of an API key."""
    return key(f"KEY#{key_digest}", KEY_SK)


def key_row(record: KeyRecord, key_digest: str) -> Row:
    """Return the row of an API key."""
    return {**write(record), "pk": f"KEY#{key_digest}", "sk": KEY_SK}


def listed_key(project_id: str, key_id: str) -> Key:
    """Return the primary key of the list entry of an API key."""
    return key(project_pk(project_id), LISTED_KEY + key_id)


def to_key_record(row: Row) -> KeyRecord:
    """Decode an API key's row."""
    return read(KeyRecord, row)
