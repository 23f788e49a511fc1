"""Lambda entry point of the protocols of other services, such as /judge0, which are off until `Dialects` names them."""

from functools import partial

from functions.checks.runs.hints import tell_checks
from functions.dialects.dialect import DialectResolver
from functions.dialects.jobe import JOBE
from functions.dialects.judge0.api import JUDGE0
from functions.dialects.librechat import LIBRECHAT
from functions.dialects.mcp.api import MCP
from functions.dialects.piston import PISTON
from functions.dialects.sandboxfusion import SANDBOX_FUSION
from functions.env import Env
from functions.http.resolver import Resolvers
from functions.judging.runs import JudgedRuns
from functions.settings import refuse_insecure_stage
from functions.submissions.completed_event import judge_runs, on_final

refuse_insecure_stage()

SETTINGS = (
    *("stage", "dialects", "dialect_origins", "origins_are_checked"),
    *("projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table"),
    *("payloads_bucket", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("completions_queue_url", "deliveries_queue_url", "checks_queue_url"),
    *("offered_languages", "limit_ceilings", "longest_wait_secs", "retention_days"),
    *("max_queue_depth", "pending_redrive_secs"),
    *("allow_insecure_webhook_targets", "endpoint_secrets_key_id", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
    "serves_files",
)
ENV = Env("dialects", SETTINGS)
ENV.provide(judge_runs, JudgedRuns)
ENV.provide(on_final, tell_checks)

DIALECTS = (JOBE, JUDGE0, LIBRECHAT, MCP, PISTON, SANDBOX_FUSION)

handler = Resolvers(partial(DialectResolver, ENV, DIALECTS)).resolve
