"""Lambda entry point of POST /api/submit: accept a submission; answer with its result if the client waits."""

from functions.env import Env
from functions.http.resolver import api_handler
from functions.judging.runs import JudgedRuns
from functions.settings import refuse_insecure_stage
from functions.submissions.completed_event import judge_runs
from functions.submissions.submit_api import SUBMIT_ROUTES, SubmitRoutes

refuse_insecure_stage()

SETTINGS = (
    *("stage", "projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table"),
    *("payloads_bucket", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("completions_queue_url", "deliveries_queue_url"),
    *("offered_languages", "limit_ceilings", "serves_files", "longest_wait_secs", "retention_days"),
    *("max_queue_depth", "pending_redrive_secs"),
    *("allow_insecure_webhook_targets", "endpoint_secrets_key_id", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
)
ENV = Env("submit", SETTINGS)
ENV.provide(judge_runs, JudgedRuns)

handler = api_handler(ENV, (SUBMIT_ROUTES, SubmitRoutes))
