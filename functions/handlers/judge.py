"""Lambda entry point of /api/judge: judge runs, their results and their deletion."""

import functools

from functions.aws.clients import Clients
from functions.clock import now_ms
from functions.handlers.accept_wiring import acceptance
from functions.handlers.wiring import completer, judged_runs
from functions.http.long_poll import LongPoll
from functions.http.resolver import PerThread, Resolver
from functions.judging.kind import JudgeKind
from functions.judging.progress_store import ProgressStore
from functions.judging.routes import JudgeRoutes
from functions.projects.store import ProjectStore
from functions.settings import SubmitSettings, load, refuse_insecure_stage
from functions.submissions.model import Kind
from functions.submissions.results.delete import Deletion
from functions.submissions.results.results import Results
from functions.submissions.runners.fleet import Fleet
from functions.submissions.runners.runner_store import RunnerStore
from functions.telemetry import logger

refuse_insecure_stage()


@functools.cache
def wiring() -> JudgeRoutes:
    """Return the wired parts, created on the first call."""
    log, settings = logger("judge"), load(SubmitSettings)
    dynamodb, run_completer = Clients.dynamodb(), completer(settings, "judge")
    store, payloads = run_completer.submissions, run_completer.payloads
    return JudgeRoutes(
        projects=ProjectStore(settings.projects_table, dynamodb),
        fleet=Fleet(RunnerStore(settings.runners_table, dynamodb), settings.offered_languages),
        acceptance=acceptance(settings, run_completer, JudgeKind(payloads), log),
        rows=Results(store, payloads, now_ms, Kind.JUDGE),
        judged=judged_runs(settings),
        progress=ProgressStore(settings.submissions_table, dynamodb),
        deletion=Deletion(store, run_completer.deliveries, run_completer.quotas, payloads),
        long_poll=LongPoll(),
        allow_insecure=settings.allow_insecure_webhook_targets,
        longest_wait_secs=settings.longest_wait_secs,
        log=log,
    )


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("judge"))
    app.post("/api/judge")(lambda: wiring().judge(app))
    app.get("/api/judge/<id_text>")(lambda id_text: wiring().one(app, id_text))
    app.delete("/api/judge/<id_text>")(lambda id_text: wiring().delete(app, id_text))
    stdout = "/api/judge/<id_text>/cases/<index_text>/stdout"
    app.get(stdout)(lambda id_text, index_text: wiring().stdout(app, id_text, index_text))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
