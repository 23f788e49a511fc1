"""Lambda entry point of /api/judge and /api/problems: judge runs, their results, and the problems that they name."""

import functools

from functions.aws.deployment import preload
from functions.http.resolver import PerThread, Resolver
from functions.judging.api import JUDGE_ROUTES, JudgeRoutes
from functions.judging.deployment import JudgeDeployment
from functions.judging.problem_api import PROBLEM_ROUTES, ProblemRoutes
from functions.settings import load_settings, refuse_insecure_stage
from functions.telemetry import logger

refuse_insecure_stage()
preload(
    "aws.payloads",
    "aws.clients",
    "files.objects",
    "files.store",
    "files.use",
    "judging.problem_store",
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
    *("stage", "projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table"),
    *("payloads_bucket", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("completions_queue_url", "deliveries_queue_url"),
    *(
        "offered_languages",
        "limit_ceilings",
        "serves_files",
        "longest_wait_secs",
        "retention_days",
        "max_queue_depth",
        "pending_redrive_secs",
    ),
    *("allow_insecure_webhook_targets", "endpoint_secrets_key_id", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
)


@functools.cache
def deployment() -> JudgeDeployment:
    """Return the deployment, created on the first call."""
    return JudgeDeployment(load_settings(SETTINGS), logger("judge"))


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("judge"))
    app.serve(JUDGE_ROUTES, lambda: JudgeRoutes(deployment()))
    app.serve(PROBLEM_ROUTES, lambda: ProblemRoutes(deployment()))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
