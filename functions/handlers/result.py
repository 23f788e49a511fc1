"""Lambda entry point of results, languages, health, the OpenAPI file, the console, and every unknown path."""

from collections.abc import Mapping

from functions.checks.runs.hints import tell_checks
from functions.console.api import CONSOLE_ROUTES, ICON_ROUTES, ConsoleRoutes
from functions.env import Env
from functions.files.api import FILE_CONTENT_ROUTES, FILE_ROUTES, FileContentRoutes, FileRoutes
from functions.files.use import IsHeld, file_holders
from functions.http.openapi.page import DOCUMENT_ROUTES, DocumentRoutes
from functions.http.resolver import PerThread, Resolver
from functions.judging.model import HOLDER
from functions.judging.problem_store import ProblemLookup
from functions.judging.runs import JudgedRuns
from functions.submissions.completed_event import judge_runs, on_final
from functions.submissions.results_api import RESULT_ROUTES, ResultRoutes
from functions.submissions.runners.fleet import HEALTH_ROUTES, HealthRoutes

SETTINGS = (
    *("projects_table", "submissions_table", "deliveries_table", "runners_table", "quotas_table", "payloads_bucket"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url", "offered_languages", "longest_wait_secs"),
    *("limit_ceilings", "deliveries_queue_url", "checks_queue_url", "public_base_url"),
    *("runner_url", "network_runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
    "serves_files",
)


ENV = Env("result", SETTINGS)
ENV.provide(judge_runs, JudgedRuns)
ENV.provide(on_final, tell_checks)


def holders(env: Env) -> Mapping[str, IsHeld]:
    """Return what knows the files of problems. Those of checks are believed: this function cannot read them."""
    return {HOLDER: env[ProblemLookup].is_held}


ENV.provide(file_holders, holders)


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(ENV.log)
    app.serve(RESULT_ROUTES, lambda: ENV[ResultRoutes])
    app.serve(FILE_ROUTES, lambda: ENV[FileRoutes])
    app.serve(FILE_CONTENT_ROUTES, lambda: ENV[FileContentRoutes])
    app.serve(HEALTH_ROUTES, lambda: ENV[HealthRoutes])
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
