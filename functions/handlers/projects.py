"""Lambda entry point of /api/projects: projects, their API keys and quotas, for the administrator's key."""

import functools
from typing import NamedTuple

from functions.aws.clients import Clients
from functions.aws.secrets import secret
from functions.clock import now_ms
from functions.http.resolver import PerThread, Resolver
from functions.projects.admin_key import AdminGate
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
    app.post("/api/projects")(lambda: wiring().projects.create(app))
    app.get("/api/projects")(lambda: wiring().projects.page(app))
    app.get("/api/projects/<id_text>")(lambda id_text: wiring().projects.one(app, id_text))
    app.patch("/api/projects/<id_text>")(lambda id_text: wiring().projects.change(app, id_text))
    keys = "/api/projects/<id_text>/keys"
    app.post(keys)(lambda id_text: wiring().keys.issue(app, id_text))
    app.get(keys)(lambda id_text: wiring().keys.page(app, id_text))
    app.patch(f"{keys}/<key_id>")(lambda id_text, key_id: wiring().keys.change(app, id_text, key_id))
    app.delete(f"{keys}/<key_id>")(lambda id_text, key_id: wiring().keys.revoke(app, id_text, key_id))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
