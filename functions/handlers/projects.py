"""Lambda entry point of /api/projects: projects, their API keys and quotas, for the administrator's key."""

from functions.env import Env
from functions.http.resolver import PerThread, Resolver
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES, KeyRoutes, ProjectRoutes

SETTINGS = ("stage", "projects_table", "admin_key_parameter")
ENV = Env("manage", SETTINGS)


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(ENV.log)
    app.serve(PROJECT_ROUTES, lambda: ProjectRoutes(ENV))
    app.serve(KEY_ROUTES, lambda: KeyRoutes(ENV))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
