"""Lambda entry point of POST /api/submit: accept a submission; answer with its result if the client waits."""

import functools

from aws_lambda_powertools.event_handler import Response

from functions.aws.clients import Clients
from functions.clock import now_ms
from functions.handlers.accept_wiring import acceptance
from functions.handlers.wiring import completer
from functions.http.long_poll import LongPoll
from functions.http.resolver import PerThread, Resolver
from functions.projects.store import ProjectStore
from functions.settings import SubmitSettings, load, refuse_insecure_stage
from functions.submissions.accept.kind import RunKind
from functions.submissions.results.results import Results
from functions.submissions.routes.submit_routes import SubmitRoute
from functions.submissions.runners.fleet import Fleet
from functions.submissions.runners.runner_store import RunnerStore
from functions.telemetry import logger

refuse_insecure_stage()


@functools.cache
def wiring() -> SubmitRoute:
    """Return the wired parts, created on the first call."""
    log, settings = logger("submit"), load(SubmitSettings)
    dynamodb, run_completer = Clients.dynamodb(), completer(settings, "submit")
    return SubmitRoute(
        projects=ProjectStore(settings.projects_table, dynamodb),
        fleet=Fleet(RunnerStore(settings.runners_table, dynamodb), settings.offered_languages),
        acceptance=acceptance(settings, run_completer, RunKind(run_completer.payloads), log),
        results=Results(run_completer.submissions, run_completer.payloads, now_ms),
        long_poll=LongPoll(),
        allow_insecure=settings.allow_insecure_webhook_targets,
        longest_wait_secs=settings.longest_wait_secs,
        log=log,
    )


def build_resolver() -> Resolver:
    """Return a resolver with the route."""
    app = Resolver(logger("submit"))

    @app.post("/api/submit")
    def submit() -> Response[str]:
        return wiring().answer(app)

    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
