"""What a client sees of projects and keys. Each `TypedDict` is a schema of the OpenAPI document."""

from typing import Annotated, TypedDict

from pydantic import Field

from events.vocabulary import Profile
from functions.http.openapi.bodies import Time, Uuid
from functions.projects.model import KeyRecord, NetworkAccess, ProjectRecord, Quota


class QuotaBody(TypedDict):
    """The quota of one profile."""

    per_minute: int
    per_day: int
    in_flight: int


class QuotasBody(TypedDict):
    """The quotas of all profiles."""

    judge: QuotaBody
    agent: QuotaBody


class ProjectNetworkBody(TypedDict):
    """Which hosts the requests of a project may name."""

    access: Annotated[
        NetworkAccess, Field(description="none, listed (those that `allow` covers), or public (any public name).")
    ]
    allow: Annotated[list[str], Field(description="With listed: entries name:port; a leading *. stands for labels.")]
    mb_per_day: Annotated[int, Field(description="MiB in both directions, of all its runs in a day (UTC).")]


class ProjectBody(TypedDict):
    """A project."""

    id: Annotated[str, Field(description="A UUID. The local stack has a project called `dev`.")]
    name: str
    enabled: bool
    profiles: list[Profile]
    quotas: QuotasBody
    network: ProjectNetworkBody
    files_mb: Annotated[int, Field(description="MiB of all its stored files together.")]
    created_at: Time
    disabled_at: Time | None


class ProjectPage(TypedDict):
    """One page, newest first."""

    items: list[ProjectBody]
    next_cursor: str | None


class KeyBody(TypedDict):
    """The properties of an API key."""

    key_id: Uuid
    project_id: str
    prefix: Annotated[str, Field(description="The key's first 12 characters.")]
    created_at: Time
    last_used_at: Annotated[Time | None, Field(description="To the minute.")]
    expires_at: Time | None
    revoked_at: Time | None


class IssuedKeyBody(KeyBody):
    """A new key."""

    key: Annotated[str, Field(description="The key itself. It is shown here and never again.")]


class KeyPage(TypedDict):
    """One page, newest first. A revoked key stays for 90 days."""

    items: list[KeyBody]
    next_cursor: str | None


def project_body(record: ProjectRecord) -> ProjectBody:
    """Return the body of a project, with the effective quota of each profile."""
    project = record.project
    return {
        "id": project.project_id,
        "name": project.name,
        "enabled": record.disabled_at is None,
        "profiles": [Profile(profile) for profile in project.profiles],
        "quotas": {
            "judge": _quota_body(project.quota(Profile.JUDGE)),
            "agent": _quota_body(project.quota(Profile.AGENT)),
        },
        "network": {
            "access": project.network.access,
            "allow": list(project.network.allow),
            "mb_per_day": project.network.mb_per_day,
        },
        "files_mb": project.files_mb,
        "created_at": record.created_at,
        "disabled_at": record.disabled_at,
    }


def key_body(record: KeyRecord) -> KeyBody:
    """Return the body of a key."""
    return {
        "key_id": record.key_id,
        "project_id": record.project_id,
        "prefix": record.prefix,
        "created_at": record.created_at,
        "last_used_at": record.last_used_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
    }


def issued_key_body(record: KeyRecord, key: str) -> IssuedKeyBody:
    """Return the body of a new key."""
    return {**key_body(record), "key": key}


def _quota_body(quota: Quota) -> QuotaBody:
    return {"per_minute": quota.per_minute, "per_day": quota.per_day, "in_flight": quota.in_flight}
