"""Lambda entry point of /api/admin: trace, redrive, purge and runners, for the administrator's key."""

import functools

from functions.aws.deployment import preload
from functions.http.resolver import PerThread, Resolver
from functions.operations.api import OPERATION_ROUTES, RUNNER_ROUTES, OperationRoutes, RunnerRoutes
from functions.operations.deployment import OperationDeployment
from functions.operations.purge import QUEUE_NAMES
from functions.settings import load_settings
from functions.telemetry import logger

preload(
    "aws.payloads",
    "aws.secrets",
    "checks.runs.store",
    "checks.settings.store",
    "checks.status_api",
    "files.objects",
    "files.store",
    "files.use",
    "judging.problems.store",
    "judging.problems.versions",
    "projects.authentication",
    "projects.quota_store",
    "submissions.results.list_store",
    "submissions.results.results",
    "submissions.runners.runner_store",
    "submissions.store",
    "webhooks.deliveries.lists",
    "webhooks.deliveries.store",
    "webhooks.endpoints.store",
    "webhooks.endpoints.store",
    "webhooks.sending.lanes",
)

SETTINGS = (
    *("stage", "admin_key_parameter", "log_group_prefix", "payloads_bucket", "runner_listener", "runner_fingerprint"),
    *("runners_table", "projects_table", "submissions_table", "deliveries_table", "checks_table", "quotas_table"),
    *(f"{queue}_{url}" for queue in QUEUE_NAMES for url in ("queue_url", "dead_letters_url")),
)


@functools.cache
def deployment() -> OperationDeployment:
    """Return the deployment, created on the first call."""
    return OperationDeployment(load_settings(SETTINGS), logger("operations"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("operations"))
    app.serve(OPERATION_ROUTES, lambda: OperationRoutes(deployment()))
    app.serve(RUNNER_ROUTES, lambda: RunnerRoutes(deployment()))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
