"""What exists from the first moment of the development stage: a project with a fixed key."""

from __future__ import annotations

from dataclasses import replace

from infra.local.settings import API_KEY, PROJECT_ID


def seed_project(projects_table: str) -> None:
    """Create project `dev` with its fixed key. One that is there keeps what it was given, but both are good again."""
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.projects.model import Project  # noqa: PLC0415
    from functions.projects.quota import DEFAULT_QUOTAS, MAX_IN_FLIGHT, Quota  # noqa: PLC0415
    from functions.projects.registry import ProjectRegistry  # noqa: PLC0415
    from functions.projects.store import ProjectStore  # noqa: PLC0415

    found = ProjectRegistry(projects_table, Clients.dynamodb()).get(PROJECT_ID)
    projects = ProjectStore(projects_table, Clients.dynamodb())
    # Nobody else shares this machine: quotas are there to be tried out, with a project of one's own or set by hand.
    quota = Quota(per_minute=1_000_000, per_day=1_000_000_000, in_flight=MAX_IN_FLIGHT)
    project = found.project if found is not None else Project(PROJECT_ID, "Local development")
    projects.create_project(replace(project, quotas=dict.fromkeys(DEFAULT_QUOTAS, quota) | dict(project.quotas)))
    projects.issue_key(PROJECT_ID, api_key=API_KEY)
