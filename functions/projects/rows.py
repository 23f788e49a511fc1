"""Rows of the projects table.

PROJECT#<id>    PROJECT             a project
PROJECTS        <created_at>#<id>   list entry of a project, without other attributes
KEY#<sha256>    KEY                 an API key, found by its hash
PROJECT#<id>    KEY#<key id>        list entry of an API key, with its digest
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import Value, key
from functions.known_fields import known_fields
from functions.projects.model import KeyRecord, Project, ProjectRecord
from functions.projects.quota import Quota

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Key

PROJECT_SK = "PROJECT"
KEY_SK = "KEY"
LIST_PK = "PROJECTS"
LISTED_KEY = "KEY#"

type Row = dict[str, Value | None]


def project_pk(project_id: str) -> str:
    """Return the partition key of a project and of the list of its keys."""
    return f"PROJECT#{project_id}"


def project_key(project_id: str) -> Key:
    """Return the primary key of a project."""
    return key(project_pk(project_id), PROJECT_SK)


def project_row(project: Project, created_at: str) -> Row:
    """Return the row of an enabled project."""
    quotas = quotas_value(project.quotas)
    return {
        "pk": project_pk(project.project_id),
        "sk": PROJECT_SK,
        "name": project.name,
        "profiles": project.profiles,
        "quotas": quotas,
        "created_at": created_at,
    }


def quotas_value(quotas: Mapping[str, Quota]) -> dict[str, Value]:
    """Return the stored form of quotas by profile."""
    return {
        profile: {"per_minute": quota.per_minute, "per_day": quota.per_day, "in_flight": quota.in_flight}
        for profile, quota in quotas.items()
    }


def to_project(row: Mapping[str, Any]) -> Project:
    """Decode a project's row."""
    quotas = {profile: Quota(**known_fields(Quota, quota)) for profile, quota in row.get("quotas", {}).items()}
    return Project(row["pk"].removeprefix("PROJECT#"), row["name"], tuple(row["profiles"]), quotas)


def to_project_record(row: Mapping[str, Any]) -> ProjectRecord:
    """Decode a project's row with the attributes for administrators."""
    return ProjectRecord(to_project(row), row["created_at"], row.get("disabled_at"))


def digest(api_key: str) -> str:
    """Return the SHA-256 of a key. The key itself is not stored."""
    return hashlib.sha256(api_key.encode(errors="surrogatepass")).hexdigest()


def key_key(key_digest: str) -> Key:
    """Return the primary key of an API key."""
    return key(f"KEY#{key_digest}", KEY_SK)


def key_row(record: KeyRecord, key_digest: str) -> Row:
    """Return the row of a new API key."""
    return {
        "pk": f"KEY#{key_digest}",
        "sk": KEY_SK,
        "key_id": record.key_id,
        "project_id": record.project_id,
        "prefix": record.prefix,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    }


def listed_key(project_id: str, key_id: str) -> Key:
    """Return the primary key of the list entry of an API key."""
    return key(project_pk(project_id), LISTED_KEY + key_id)


def to_key_record(row: Mapping[str, Any]) -> KeyRecord:
    """Decode an API key's row."""
    return KeyRecord(
        key_id=row["key_id"],
        project_id=row["project_id"],
        prefix=row["prefix"],
        created_at=row["created_at"],
        last_used_at=row.get("last_used_at"),
        expires_at=row.get("expires_at"),
        revoked_at=row.get("revoked_at"),
    )
