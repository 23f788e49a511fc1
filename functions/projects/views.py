"""Bodies of projects and keys in the API's answers."""

from functions.http.json_body import Body
from functions.messages.languages import Profile
from functions.projects.model import KeyRecord, ProjectRecord


def project_body(record: ProjectRecord) -> Body:
    """Return the body of a project, with the effective quota of each profile."""
    project = record.project
    quotas = {profile.value: project.quota(profile.value) for profile in Profile}
    return {
        "id": project.project_id,
        "name": project.name,
        "enabled": record.disabled_at is None,
        "profiles": list(project.profiles),
        "quotas": {
            profile: {"per_minute": quota.per_minute, "per_day": quota.per_day, "in_flight": quota.in_flight}
            for profile, quota in quotas.items()
        },
        "created_at": record.created_at,
        "disabled_at": record.disabled_at,
    }


def key_body(record: KeyRecord) -> Body:
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
