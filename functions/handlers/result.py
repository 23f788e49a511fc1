"""Lambda entry point of results, languages, health, the OpenAPI file, the console, and every unknown path."""

import functools

from functions.aws.deployment import preload
from functions.console.api import CONSOLE_ROUTES
from functions.console.routes import ConsoleRoutes
from functions.http.openapi.document_routes import DOCUMENT_ROUTES, DocumentRoutes
from functions.http.resolver import PerThread, Resolver
from functions.settings import load_settings
from functions.submissions.api.health import HEALTH_ROUTES
from functions.submissions.api.results import RESULT_ROUTES
from functions.submissions.deployment import SubmissionDeployment
from functions.submissions.routes.health_routes import HealthRoutes
from functions.submissions.routes.result_routes import ResultRoutes
from functions.telemetry import logger

preload(
    "aws.payloads",
    "http.long_poll",
    "projects.quota_store",
    "projects.store",
    "submissions.results.delete",
    "submissions.results.list_store",
    "submissions.results.results",
    "submissions.run.queues",
    "submissions.runners.fleet",
    "submissions.runners.runner_store",
    "submissions.store",
    "webhooks.deliveries.store",
)

SETTINGS = (
    *("projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table", "payloads_bucket"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url", "offered_languages", "longest_wait_secs"),
)


@functools.cache
def deployment() -> SubmissionDeployment:
    """Return the deployment, created on the first call."""
    return SubmissionDeployment(load_settings(SETTINGS), logger("result"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("result"))
    app.serve(RESULT_ROUTES, lambda: ResultRoutes(deployment()))
    app.serve(HEALTH_ROUTES, lambda: HealthRoutes(deployment()))
    app.serve(DOCUMENT_ROUTES, lambda: DocumentRoutes(_openapi_text, _reference_page))
    app.serve(CONSOLE_ROUTES, ConsoleRoutes)
    return app


def _openapi_text() -> str:
    from functions.handlers.api_document import openapi_text  # noqa: PLC0415 - imports every model; few requests need it

    return openapi_text()


def _reference_page() -> str:
    from functions.handlers.api_document import reference_page  # noqa: PLC0415 - same

    return reference_page()


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
