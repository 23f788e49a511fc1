"""Lambda entry point of /api/checks and /api/badges: a project's checks and their history."""

import functools
from typing import NamedTuple

from functions.aws.clients import Clients
from functions.checks.badge_routes import BadgeRoutes
from functions.checks.events.event_store import EventStore
from functions.checks.events.inbound import Inbound
from functions.checks.events.request_limit import RequestLimit
from functions.checks.inbound_routes import InboundRoutes
from functions.checks.routes import CheckRoutes
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.store import RunStore
from functions.checks.settings.store import CheckStore
from functions.checks.settings.trigger_rules import TriggerRules
from functions.checks.settings.trigger_store import TriggerStore
from functions.checks.settings.variables import CheckVariables
from functions.clock import now_ms
from functions.http.resolver import PerThread, Resolver
from functions.projects.registry import ProjectRegistry
from functions.projects.store import ProjectStore
from functions.settings import ChecksSettings, load
from functions.telemetry import logger
from functions.webhooks.target.secret_box import SecretBoxes


class Wiring(NamedTuple):
    """The parts that the routes use."""

    checks: CheckRoutes
    badges: BadgeRoutes
    inbound: InboundRoutes


@functools.cache
def wiring() -> Wiring:
    """Return the wired parts, created on the first call."""
    settings, dynamodb, log = load(ChecksSettings), Clients.dynamodb(), logger("checks")
    store, runs = CheckStore(settings.checks_table, dynamodb, now_ms), RunStore(settings.checks_table, dynamodb, now_ms)
    events = EventStore(settings.checks_table, dynamodb, now_ms)
    hints = CheckHints(Clients.sqs(), settings.checks_queue_url)
    boxes = SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms)
    projects = ProjectStore(settings.projects_table, dynamodb)
    rules = TriggerRules(store, TriggerStore(settings.checks_table, dynamodb), bool(settings.event_bus_name))
    limit = RequestLimit(settings.checks_table, dynamodb, ProjectRegistry(settings.projects_table, dynamodb), now_ms)
    routes = CheckRoutes(projects, store, runs, hints, CheckVariables(boxes), rules, limit, now_ms, log)
    inbound = InboundRoutes(routes, store, runs, hints, events, Inbound(events, boxes, now_ms), limit, now_ms, log)
    return Wiring(routes, BadgeRoutes(store), inbound)


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("checks"))
    app.post("/api/checks")(lambda: wiring().checks.create(app))
    app.get("/api/checks")(lambda: wiring().checks.page(app))
    app.get("/api/checks/<id_text>")(lambda id_text: wiring().checks.one(app, id_text))
    app.patch("/api/checks/<id_text>")(lambda id_text: wiring().checks.change(app, id_text))
    app.delete("/api/checks/<id_text>")(lambda id_text: wiring().checks.delete(app, id_text))
    app.post("/api/checks/<id_text>/run")(lambda id_text: wiring().checks.run(app, id_text))
    app.post("/api/checks/<id_text>/pause")(lambda id_text: wiring().checks.pause(app, id_text))
    app.post("/api/checks/<id_text>/resume")(lambda id_text: wiring().checks.resume(app, id_text))
    app.get("/api/checks/<id_text>/runs")(lambda id_text: wiring().checks.history(app, id_text))
    app.post("/api/checks/<id_text>/secret")(lambda id_text: wiring().inbound.new_secret(app, id_text))
    app.post("/api/checks/<id_text>/events")(lambda id_text: wiring().inbound.receive(app, id_text))
    app.get("/api/schemas/checks.json")(lambda: wiring().checks.schema())  # noqa: PLW0108 - wiring() runs on the first request
    app.get("/api/badges/<name>")(lambda name: wiring().badges.file(name))  # noqa: PLW0108 - wiring() runs on the first request
    app.get("/api/badges/<token>/shields")(lambda token: wiring().badges.shields(token))  # noqa: PLW0108 - same
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
