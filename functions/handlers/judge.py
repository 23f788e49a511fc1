"""Lambda entry point of /api/judge and /api/problems: judge runs, their results, and the problems that they name."""

from functions.env import Env
from functions.http.resolver import api_handler
from functions.judging.api import JUDGE_ROUTES, JudgeRoutes
from functions.judging.problem_api import PROBLEM_ROUTES, ProblemRoutes
from functions.judging.runs import JudgedRuns
from functions.projects.changes import change_log
from functions.settings import refuse_insecure_stage
from functions.submissions.completed_event import judge_runs
from functions.webhooks.changes import ChangeEvents

refuse_insecure_stage()

SETTINGS = (
    *("stage", "projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table"),
    *("payloads_bucket", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("completions_queue_url", "deliveries_queue_url"),
    *("offered_languages", "limit_ceilings", "judge_total_secs", "compress_cases", "serves_files"),
    *("longest_wait_secs", "retention_days", "max_queue_depth", "pending_redrive_secs"),
    *("allow_insecure_webhook_targets", "endpoint_secrets_key_id", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
)
ENV = Env("judge", SETTINGS)
ENV.provide(judge_runs, JudgedRuns)
ENV.provide(change_log, ChangeEvents)

handler = api_handler(ENV, (JUDGE_ROUTES, JudgeRoutes), (PROBLEM_ROUTES, ProblemRoutes))
