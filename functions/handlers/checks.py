"""Lambda entry point of /api/checks, /api/pings and /api/badges: a project's checks and their history."""

from functions.checks.api import CHECK_ROUTES, QUIET_ROUTES, CheckRoutes, QuietRoutes
from functions.checks.calls.api import INBOUND_ROUTES, InboundRoutes
from functions.checks.pings import PING_ROUTES, PingRoutes
from functions.checks.run_api import RUN_ROUTES, CheckRunRoutes
from functions.checks.status_api import BADGE_ROUTES, STATUS_ROUTES, BadgeRoutes, StatusRoutes
from functions.env import Env
from functions.http.resolver import api_handler
from functions.projects.changes import change_log
from functions.settings import refuse_insecure_stage
from functions.webhooks.changes import ChangeEvents

refuse_insecure_stage()

SETTINGS = (
    *("projects_table", "quotas_table", "checks_table", "submissions_table", "payloads_bucket", "checks_queue_url"),
    *("endpoint_secrets_key_id", "deliveries_table", "deliveries_queue_url"),
    *("event_bus_name", "public_base_url", "allow_insecure_webhook_targets"),
)
ENV = Env("checks", SETTINGS)
ENV.provide(change_log, ChangeEvents)

handler = api_handler(
    ENV,
    (CHECK_ROUTES, CheckRoutes),
    (RUN_ROUTES, CheckRunRoutes),
    (INBOUND_ROUTES, InboundRoutes),
    (PING_ROUTES, PingRoutes),
    (QUIET_ROUTES, QuietRoutes),
    (STATUS_ROUTES, StatusRoutes),
    (BADGE_ROUTES, BadgeRoutes),
)
