"""Lambda entry point of results, languages, health, the OpenAPI file, the console, and every unknown path."""

from collections.abc import Mapping
from types import ModuleType

from functions.checks.runs.hints import tell_checks
from functions.console.api import CONSOLE_ROUTES, ICON_ROUTES, ConsoleRoutes
from functions.env import Env
from functions.files.api import FILE_CONTENT_ROUTES, FILE_ROUTES, FileContentRoutes, FileRoutes
from functions.files.use import IsHeld, file_holders
from functions.http.openapi.page import DOCUMENT_ROUTES, DocumentRoutes
from functions.http.resolver import api_handler
from functions.judging.model import HOLDER
from functions.judging.problem_store import StoredProblems
from functions.judging.runs import JudgedRuns
from functions.projects.own_key import OWN_KEY_ROUTES, OwnKeyRoutes
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
    return {HOLDER: env[StoredProblems].is_held}


ENV.provide(file_holders, holders)


def documents(_env: Env) -> DocumentRoutes:
    """Return the routes of the document, which is built on its first request."""
    return DocumentRoutes(lambda: _api_document().openapi_text(), lambda: _api_document().reference_page())


def _api_document() -> ModuleType:
    from functions.handlers import api_document  # noqa: PLC0415 - imports every model, and few requests need it

    return api_document


handler = api_handler(
    ENV,
    (RESULT_ROUTES, ResultRoutes),
    (FILE_ROUTES, FileRoutes),
    (FILE_CONTENT_ROUTES, FileContentRoutes),
    (HEALTH_ROUTES, HealthRoutes),
    (OWN_KEY_ROUTES, OwnKeyRoutes),
    (DOCUMENT_ROUTES, documents),
    ((*CONSOLE_ROUTES, *ICON_ROUTES), lambda _: ConsoleRoutes()),
)
