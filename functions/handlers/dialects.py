"""Lambda entry point of /judge0, /mcp and /piston: protocols of other services, off until `Dialects` names them."""

import functools

from functions.aws.deployment import preload
from functions.checks.deployment import CheckDeployment
from functions.dialects.dialect import DialectResolver
from functions.dialects.judge0.api import JUDGE0
from functions.dialects.mcp.api import MCP
from functions.dialects.piston import PISTON
from functions.http.resolver import PerThread
from functions.judging.deployment import JudgeDeployment
from functions.settings import load_settings, refuse_insecure_stage
from functions.telemetry import logger

refuse_insecure_stage()
preload(
    "aws.payloads",
    "aws.clients",
    "checks.runs.hints",
    "files.objects",
    "files.store",
    "files.use",
    "judging.runs",
    "projects.quota_store",
    "projects.store",
    "submissions.accept.acceptance",
    "submissions.completed_event",
    "submissions.completion",
    "submissions.direct",
    "submissions.live_runs",
    "submissions.queues",
    "submissions.results.results",
    "submissions.runners.fleet",
    "submissions.runners.store",
    "submissions.store",
    "webhooks.deliveries.publication",
    "webhooks.deliveries.store",
    "webhooks.endpoints.store",
    "webhooks.sealed_secrets",
)

SETTINGS = (
    *("stage", "dialects", "projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table"),
    *("payloads_bucket", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("completions_queue_url", "deliveries_queue_url", "checks_queue_url"),
    *(
        "offered_languages",
        "limit_ceilings",
        "longest_wait_secs",
        "retention_days",
        "max_queue_depth",
        "pending_redrive_secs",
    ),
    *("allow_insecure_webhook_targets", "endpoint_secrets_key_id", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
)


DIALECTS = (JUDGE0, MCP, PISTON)


class DialectDeployment(CheckDeployment, JudgeDeployment):
    """Submissions, and the checks that wait for the end of cancelled ones."""


@functools.cache
def deployment() -> DialectDeployment:
    """Return the deployment, created on the first call."""
    return DialectDeployment(load_settings(SETTINGS), logger("dialects"))


def build_resolver() -> DialectResolver:
    """Return a resolver with the routes of all dialects."""
    app = DialectResolver(logger("dialects"))
    for dialect in DIALECTS:
        app.serve_dialect(dialect, deployment)
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
