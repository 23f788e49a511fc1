"""Lambda entry point of events: their list, their types, and the log that consumers poll."""

from functions.env import Env
from functions.feed.api import EVENT_ROUTES, EventRoutes
from functions.http.resolver import api_handler
from functions.judging.runs import JudgedRuns
from functions.submissions.completed_event import judge_runs

SETTINGS = (
    *("projects_table", "submissions_table", "deliveries_table", "quotas_table", "payloads_bucket"),
    *("public_base_url", "longest_wait_secs"),
)
ENV = Env("events", SETTINGS)
ENV.provide(judge_runs, JudgedRuns)

handler = api_handler(ENV, (EVENT_ROUTES, EventRoutes))
