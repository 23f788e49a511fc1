"""POST /api/submit: take a submission in, and answer with its result if the client waits for it."""

import functools
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.api.acceptance import Acceptance
from functions.api.admission import Admission
from functions.api.direct import DirectRun
from functions.api.gathered_fanout import GatheredFanOut
from functions.api.health import Health
from functions.api.resolver import PerThread, Resolver
from functions.api.results import Results
from functions.api.submitting import Submitting
from functions.api.waiting import LongPoll
from functions.clients import Clients
from functions.core.clock import now_ms
from functions.endings import Endings
from functions.payloads import Payloads
from functions.queues import Queues
from functions.runner import Runner
from functions.secret_box import SecretBoxes
from functions.secrets import secret
from functions.settings import SubmitSettings, load, refuse_insecure_stage
from functions.store.endpoints import EndpointStore
from functions.store.projects import ProjectStore
from functions.store.quotas import QuotaStore
from functions.store.runners import RunnerStore
from functions.store.submissions import SubmissionStore
from functions.telemetry import logger, metrics

refuse_insecure_stage()


@functools.cache
def wiring() -> Submitting:
    """Put the parts together, once per process and on the first call."""
    log, settings = logger("submit"), load(SubmitSettings)
    dynamodb, queues = Clients.dynamodb(), Queues(Clients.sqs())
    store = SubmissionStore(settings.submissions_table, dynamodb)
    payloads = Payloads(settings.payloads_bucket, Clients.s3)
    boxes = SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms)
    runners = RunnerStore(settings.runners_table, dynamodb)
    quotas = QuotaStore(settings.quotas_table, dynamodb)
    admission = Admission(quotas, store, now_ms, log)
    direct = None
    if settings.runner_url:
        runner = Runner(settings.runner_url, functools.partial(secret, settings.runner_token_parameter))
        endings = Endings(store, payloads, metrics("submit"))
        endpoints = EndpointStore(settings.deliveries_table, dynamodb)
        gathered = GatheredFanOut(endpoints, quotas, queues, settings.completions_queue_url, log)
        direct = DirectRun(runner, endings, gathered, queues, settings.completions_queue_url, log)
    return Submitting(
        projects=ProjectStore(settings.projects_table, dynamodb),
        health=Health(runners, queues, (), settings.offered_languages, log),
        acceptance=Acceptance(settings, store, admission, payloads, boxes, queues, now_ms, log, direct),
        results=Results(store, payloads, now_ms),
        long_poll=LongPoll(),
        allow_insecure=settings.allow_insecure_webhook_targets,
        log=log,
    )


def build_resolver() -> Resolver:
    """Make the one route."""
    app = Resolver(logger("submit"))

    @app.post("/api/submit")
    def submit() -> Response[str]:
        return wiring().answer(app)

    return app


_resolvers = PerThread(build_resolver)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Lambda entry point, for events of an HTTP API."""
    return _resolvers.resolve(event, context)
