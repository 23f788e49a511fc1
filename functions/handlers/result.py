"""Lambda entry point of results, languages, health, the OpenAPI file, and every unknown path."""

import functools
from typing import Any, NamedTuple

from aws_lambda_powertools.event_handler import Response

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.clock import now_ms
from functions.http.long_poll import LongPoll
from functions.http.resolver import PerThread, Resolver
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore
from functions.settings import ResultSettings, load
from functions.submissions.answers import Results
from functions.submissions.delete import Deletion
from functions.submissions.fleet import Fleet
from functions.submissions.health import Health
from functions.submissions.list_store import SubmissionList
from functions.submissions.queues import Queues
from functions.submissions.routes import ResultRoutes
from functions.submissions.runner_store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger
from functions.webhooks.deliveries.store import DeliveryStore


class Wiring(NamedTuple):
    """The parts that the routes use."""

    results: ResultRoutes
    health: Health


@functools.cache
def wiring() -> Wiring:
    """Return the wired parts, created on the first call."""
    settings, dynamodb = load(ResultSettings), Clients.dynamodb()
    store = SubmissionStore(settings.submissions_table, dynamodb)
    payloads = Payloads(settings.payloads_bucket, Clients.s3)
    queue_urls = (settings.interactive_queue_url, settings.batch_queue_url)
    fleet = Fleet(RunnerStore(settings.runners_table, dynamodb), settings.offered_languages)
    return Wiring(
        ResultRoutes(
            projects=ProjectStore(settings.projects_table, dynamodb),
            results=Results(store, payloads, now_ms),
            listing=SubmissionList(settings.submissions_table, dynamodb),
            deletion=Deletion(
                store,
                DeliveryStore(settings.deliveries_table, dynamodb),
                QuotaStore(settings.quotas_table, dynamodb),
                payloads,
            ),
            long_poll=LongPoll(),
            longest_wait_secs=settings.longest_wait_secs,
        ),
        Health(fleet, Queues(Clients.sqs()), queue_urls, logger("result")),
    )


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("result"))
    app.get("/api/result/<id_text>")(lambda id_text: wiring().results.one(app, id_text))
    app.delete("/api/result/<id_text>")(lambda id_text: wiring().results.delete(app, id_text))
    app.get("/api/result/<id_text>/stdout")(lambda id_text: wiring().results.raw(app, id_text, "stdout"))
    app.get("/api/result/<id_text>/stderr")(lambda id_text: wiring().results.raw(app, id_text, "stderr"))
    app.get("/api/results")(lambda: wiring().results.page(app))
    app.get("/api/languages")(lambda: wiring().health.languages_answer(app.current_event.query_string_parameters))
    app.get("/api/health")(lambda: wiring().health.health())  # noqa: PLW0108 - wiring() runs on the first request
    app.get("/api/health/ready")(lambda: wiring().health.ready())  # noqa: PLW0108 - same
    app.get("/api/openapi.json")(_openapi)
    return app


def _openapi() -> Response[str]:
    from functions.handlers.api_document import openapi_text  # noqa: PLC0415 - imports every model; few requests need it

    return Response(status_code=200, content_type="application/json", body=openapi_text())


_resolvers = PerThread(build_resolver)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Lambda entry point, for events of an HTTP API."""
    return _resolvers.resolve(event, context)
