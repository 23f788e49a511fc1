"""Lambda entry point of /api/projects: projects, their API keys and quotas, for the administrator's key."""

import functools
from typing import NamedTuple

from functions.aws.clients import Clients
from functions.aws.secrets import secret
from functions.clock import now_ms
from functions.http.resolver import PerThread, Resolver
from functions.projects.admin_key import AdminGate
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES
from functions.projects.key_routes import KeyRoutes
from functions.projects.key_store import KeyStore
from functions.projects.registry import ProjectRegistry
from functions.projects.routes import ProjectRoutes
from functions.projects.store import ProjectStore
from functions.settings import ManageSettings, load
from functions.telemetry import logger


class Wiring(NamedTuple):
    """The parts that the routes use."""

    projects: ProjectRoutes
    keys: KeyRoutes


@functools.cache
def wiring() -> Wiring:
    """Return the wired parts, created on the first call."""
    log, settings, dynamodb = logger("manage"), load(ManageSettings), Clients.dynamodb()
    gate = AdminGate(settings.admin_key_parameter, settings.stage, secret, log)
    store = ProjectStore(settings.projects_table, dynamodb)
    projects = ProjectRoutes(gate, store, ProjectRegistry(settings.projects_table, dynamodb), log)
    return Wiring(projects, KeyRoutes(gate, projects, KeyStore(settings.projects_table, dynamodb), now_ms, log))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("manage"))
    app.serve(PROJECT_ROUTES, lambda: wiring().projects)
    app.serve(KEY_ROUTES, lambda: wiring().keys)
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
