"""Lambda entry point of /api/admin: trace, redrive, purge and runners, for the administrator's key."""

from functions.env import Env
from functions.http.resolver import api_handler
from functions.judging.deployment import JudgeDeployment
from functions.judging.problem_store import ProblemRemoval
from functions.operations.api import OPERATION_ROUTES, RUNNER_ROUTES, OperationRoutes, RunnerRoutes
from functions.operations.purge import QUEUE_NAMES
from functions.submissions.results.results import Deletion

SETTINGS = (
    *("stage", "admin_key_parameter", "log_group_prefix", "payloads_bucket", "runner_listener", "runner_fingerprint"),
    *("runners_table", "projects_table", "submissions_table", "deliveries_table", "checks_table", "quotas_table"),
    *(f"{queue}_{url}" for queue in QUEUE_NAMES for url in ("queue_url", "dead_letters_url")),
)
ENV = Env("operations", SETTINGS)


class _Lower(JudgeDeployment):
    """What the lower parts do not take out of an environment yet."""

    def __init__(self, env: Env) -> None:
        super().__init__(env.settings, env.log, env.clock)


ENV.provide(Deletion, lambda env: env[_Lower].deletion)
ENV.provide(ProblemRemoval, lambda env: env[_Lower].problem_removal)

handler = api_handler(ENV, (OPERATION_ROUTES, OperationRoutes), (RUNNER_ROUTES, RunnerRoutes))
