"""Lambda entry point of /api/projects: projects, their API keys and quotas, for the administrator's key."""

import functools

from functions.aws.deployment import preload
from functions.http.resolver import PerThread, Resolver
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES, KeyRoutes, ProjectRoutes
from functions.projects.deployment import ProjectDeployment
from functions.settings import load_settings
from functions.telemetry import logger

preload("projects.authentication", "projects.store", "projects.registry", "projects.store")

SETTINGS = ("stage", "projects_table", "admin_key_parameter")


@functools.cache
def deployment() -> ProjectDeployment:
    """Return the deployment, created on the first call."""
    return ProjectDeployment(load_settings(SETTINGS), logger("manage"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("manage"))
    app.serve(PROJECT_ROUTES, lambda: ProjectRoutes(deployment()))
    app.serve(KEY_ROUTES, lambda: KeyRoutes(deployment()))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
