"""Lambda entry point of results, languages, health, the OpenAPI file, the console, and every unknown path."""

import functools

from functions.aws.deployment import preload
from functions.checks.deployment import CheckDeployment
from functions.console.api import CONSOLE_ROUTES, ICON_ROUTES, ConsoleRoutes
from functions.files.api import FILE_CONTENT_ROUTES, FILE_ROUTES, FileContentRoutes, FileRoutes
from functions.http.openapi.page import DOCUMENT_ROUTES, DocumentRoutes
from functions.http.resolver import PerThread, Resolver
from functions.judging.deployment import JudgeDeployment
from functions.settings import load_settings
from functions.submissions.results_api import RESULT_ROUTES, ResultRoutes
from functions.submissions.runners.fleet import HEALTH_ROUTES, HealthRoutes
from functions.telemetry import logger

preload(
    "aws.payloads",
    "aws.clients",
    "checks.runs.hints",
    "files.objects",
    "files.store",
    "files.use",
    "http.long_poll",
    "judging.runs",
    "projects.quota_store",
    "projects.store",
    "submissions.completed_event",
    "submissions.completion",
    "submissions.direct",
    "submissions.live_runs",
    "submissions.queues",
    "submissions.results.list_store",
    "submissions.results.results",
    "submissions.runners.fleet",
    "submissions.runners.store",
    "submissions.store",
    "webhooks.deliveries.publication",
    "webhooks.deliveries.store",
    "webhooks.endpoints.store",
)

SETTINGS = (
    *("projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table", "payloads_bucket"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url", "offered_languages", "longest_wait_secs"),
    *("limit_ceilings", "deliveries_queue_url", "checks_queue_url", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
    "serves_files",
)


class ResultDeployment(CheckDeployment, JudgeDeployment):
    """Submissions and files, and the checks that wait for the end of cancelled ones."""


@functools.cache
def deployment() -> ResultDeployment:
    """Return the deployment, created on the first call."""
    return ResultDeployment(load_settings(SETTINGS), logger("result"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("result"))
    app.serve(RESULT_ROUTES, lambda: ResultRoutes(deployment()))
    app.serve(FILE_ROUTES, lambda: FileRoutes(deployment()))
    app.serve(FILE_CONTENT_ROUTES, lambda: FileContentRoutes(deployment()))
    app.serve(HEALTH_ROUTES, lambda: HealthRoutes(deployment()))
    app.serve(DOCUMENT_ROUTES, lambda: DocumentRoutes(_openapi_text, _reference_page))
    app.serve((*CONSOLE_ROUTES, *ICON_ROUTES), ConsoleRoutes)
    return app


def _openapi_text() -> str:
    from functions.handlers.api_document import openapi_text  # noqa: PLC0415 - imports every model; few requests need it

    return openapi_text()


def _reference_page() -> str:
    from functions.handlers.api_document import reference_page  # noqa: PLC0415 - same

    return reference_page()


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
