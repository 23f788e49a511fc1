"""The project that exists from the first moment of a local stack."""

from infra.local.settings import API_KEY, PROJECT_ID


def seed_project(projects_table: str) -> None:
    """Create project `dev` with its fixed key; again changes nothing that matters."""
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load`).
    from functions.core.project import Project  # noqa: PLC0415
    from functions.settings import Clients  # noqa: PLC0415
    from functions.store.projects import ProjectStore  # noqa: PLC0415

    projects = ProjectStore(projects_table, Clients.dynamodb())
    projects.create_project(Project(PROJECT_ID, "Local development"))
    projects.issue_key(PROJECT_ID, api_key=API_KEY)
