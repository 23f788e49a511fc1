"""Lambda entry point of events: their list, their types, and the log that consumers poll."""

import functools

from functions.aws.deployment import preload
from functions.feed.api import EVENT_ROUTES, EventRoutes
from functions.feed.deployment import EventDeployment
from functions.http.resolver import PerThread, Resolver
from functions.settings import load_settings
from functions.telemetry import logger

preload(
    "event_log.consumer_store",
    "event_log.log",
    "event_log.rows",
    "feed.listing",
    "feed.listing",
    "feed.poll",
    "judging.runs",
    "projects.store",
    "submissions.complete.completed_event",
    "submissions.results.list_store",
    "submissions.store",
    "webhooks.deliveries.lists",
    "webhooks.deliveries.store",
)

SETTINGS = (
    *("projects_table", "submissions_table", "deliveries_table", "quotas_table", "payloads_bucket"),
    *("public_base_url", "longest_wait_secs"),
)


@functools.cache
def deployment() -> EventDeployment:
    """Return the deployment, created on the first call."""
    return EventDeployment(load_settings(SETTINGS), logger("events"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("events"))
    app.serve(EVENT_ROUTES, lambda: EventRoutes(deployment()))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
