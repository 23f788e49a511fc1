"""Lambda entry point of /api/webhooks and /api/deliveries: a project's endpoints and its deliveries."""

import functools

from functions.aws.deployment import preload
from functions.handlers.chat_cards import CardDeployment
from functions.http.resolver import PerThread, Resolver
from functions.settings import load_settings, refuse_insecure_stage
from functions.telemetry import logger
from functions.webhooks.routes.action_routes import EndpointActionRoutes
from functions.webhooks.routes.api import DELIVERY_ROUTES, ENDPOINT_ACTION_ROUTES, ENDPOINT_ROUTES
from functions.webhooks.routes.delivery_routes import DeliveryRoutes
from functions.webhooks.routes.endpoint_routes import EndpointRoutes

refuse_insecure_stage()
preload(
    "event_log.rows",
    "projects.store",
    "webhooks.deliveries.hints",
    "webhooks.deliveries.lists",
    "webhooks.deliveries.replay",
    "webhooks.deliveries.store",
    "webhooks.egress",
    "webhooks.endpoints.store",
    "webhooks.sealed_secrets",
    "webhooks.sending.lanes",
    "webhooks.sending.requests",
)

SETTINGS = (
    *("stage", "projects_table", "deliveries_table", "quotas_table", "deliveries_queue_url"),
    *("endpoint_secrets_key_id", "public_base_url", "allow_insecure_webhook_targets", "egress_addresses"),
)


@functools.cache
def deployment() -> CardDeployment:
    """Return the deployment, created on the first call."""
    return CardDeployment(load_settings(SETTINGS), logger("endpoints"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("endpoints"))
    app.serve(ENDPOINT_ROUTES, lambda: EndpointRoutes(deployment()))
    app.serve(ENDPOINT_ACTION_ROUTES, lambda: EndpointActionRoutes(deployment()))
    app.serve(DELIVERY_ROUTES, lambda: DeliveryRoutes(deployment()))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
