"""Lambda entry point of /api/checks, /api/pings and /api/badges: a project's checks and their history."""

import functools

from functions.aws.deployment import preload
from functions.checks.api import CHECK_ROUTES, QUIET_ROUTES, RUN_ROUTES, CheckRoutes, CheckRunRoutes, QuietRoutes
from functions.checks.deployment import InboundDeployment
from functions.checks.inbound import INBOUND_ROUTES, InboundRoutes
from functions.checks.pings import PING_ROUTES, PingRoutes
from functions.checks.status_api import BADGE_ROUTES, STATUS_ROUTES, BadgeRoutes, StatusRoutes
from functions.http.resolver import PerThread, Resolver
from functions.settings import load_settings, refuse_insecure_stage
from functions.telemetry import logger

refuse_insecure_stage()
preload(
    "aws.payloads",
    "checks.runs.start",
    "checks.runs.hints",
    "checks.runs.store",
    "checks.settings.changes",
    "checks.settings.store",
    "checks.settings.trigger_rows",
    "files.objects",
    "files.store",
    "files.use",
    "projects.store",
    "webhooks.sealed_secrets",
)

SETTINGS = (
    *("projects_table", "quotas_table", "checks_table", "submissions_table", "payloads_bucket", "checks_queue_url"),
    *("endpoint_secrets_key_id",),
    *("event_bus_name", "public_base_url", "allow_insecure_webhook_targets"),
)


@functools.cache
def deployment() -> InboundDeployment:
    """Return the deployment, created on the first call."""
    return InboundDeployment(load_settings(SETTINGS), logger("checks"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("checks"))
    app.serve(CHECK_ROUTES, lambda: CheckRoutes(deployment()))
    app.serve(RUN_ROUTES, lambda: CheckRunRoutes(deployment()))
    app.serve(INBOUND_ROUTES, lambda: InboundRoutes(deployment()))
    app.serve(PING_ROUTES, lambda: PingRoutes(deployment()))
    app.serve(QUIET_ROUTES, lambda: QuietRoutes(deployment()))
    app.serve(STATUS_ROUTES, lambda: StatusRoutes(deployment()))
    app.serve(BADGE_ROUTES, lambda: BadgeRoutes(deployment()))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
