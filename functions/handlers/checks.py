"""Lambda entry point of /api/checks, /api/pings and /api/badges: a project's checks and their history."""

from functions.checks.api import CHECK_ROUTES, QUIET_ROUTES, RUN_ROUTES, CheckRoutes, CheckRunRoutes, QuietRoutes
from functions.checks.inbound import INBOUND_ROUTES, InboundRoutes
from functions.checks.pings import PING_ROUTES, PingRoutes
from functions.checks.status_api import BADGE_ROUTES, STATUS_ROUTES, BadgeRoutes, StatusRoutes
from functions.env import Env
from functions.http.resolver import PerThread, Resolver
from functions.settings import refuse_insecure_stage

refuse_insecure_stage()

SETTINGS = (
    *("projects_table", "quotas_table", "checks_table", "submissions_table", "payloads_bucket", "checks_queue_url"),
    *("endpoint_secrets_key_id",),
    *("event_bus_name", "public_base_url", "allow_insecure_webhook_targets"),
)
ENV = Env("checks", SETTINGS)


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(ENV.log)
    app.serve(CHECK_ROUTES, lambda: CheckRoutes(ENV))
    app.serve(RUN_ROUTES, lambda: CheckRunRoutes(ENV))
    app.serve(INBOUND_ROUTES, lambda: InboundRoutes(ENV))
    app.serve(PING_ROUTES, lambda: PingRoutes(ENV))
    app.serve(QUIET_ROUTES, lambda: QuietRoutes(ENV))
    app.serve(STATUS_ROUTES, lambda: StatusRoutes(ENV))
    app.serve(BADGE_ROUTES, lambda: BadgeRoutes(ENV))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
