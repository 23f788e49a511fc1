"""Lambda entry point of /api/admin: trace, redrive, purge and runners, for the administrator's key."""

from functions.env import Env
from functions.http.resolver import api_handler
from functions.operations.api import OPERATION_ROUTES, RUNNER_ROUTES, OperationRoutes, RunnerRoutes
from functions.operations.purge import QUEUE_NAMES
from functions.projects.changes import change_log
from functions.webhooks.changes import ChangeEvents

SETTINGS = (
    *("stage", "admin_key_parameter", "log_group_prefix", "payloads_bucket", "runner_listener", "runner_fingerprint"),
    *("runners_table", "projects_table", "submissions_table", "deliveries_table", "checks_table", "quotas_table"),
    *(f"{queue}_{url}" for queue in QUEUE_NAMES for url in ("queue_url", "dead_letters_url")),
)
ENV = Env("operations", SETTINGS)
ENV.provide(change_log, ChangeEvents)

handler = api_handler(ENV, (OPERATION_ROUTES, OperationRoutes), (RUNNER_ROUTES, RunnerRoutes))
