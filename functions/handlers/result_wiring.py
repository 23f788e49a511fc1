"""Wire the parts of results, lists and health."""

import functools
from typing import NamedTuple

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.clock import now_ms
from functions.http.long_poll import LongPoll
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore
from functions.settings import ResultSettings, load
from functions.submissions.results.delete import Deletion
from functions.submissions.results.list_store import SubmissionList
from functions.submissions.results.results import Results
from functions.submissions.routes.health_routes import HealthRoutes
from functions.submissions.routes.result_routes import ResultRoutes
from functions.submissions.run.queues import Queues
from functions.submissions.runners.fleet import Fleet
from functions.submissions.runners.runner_store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger
from functions.webhooks.deliveries.store import DeliveryStore


class Wiring(NamedTuple):
    """The parts that the routes use."""

    results: ResultRoutes
    health: HealthRoutes


@functools.cache
def wiring() -> Wiring:
    """Return the wired parts, created on the first call."""
    settings, dynamodb = load(ResultSettings), Clients.dynamodb()
    store = SubmissionStore(settings.submissions_table, dynamodb)
    payloads = Payloads(settings.payloads_bucket, Clients.s3)
    queues = Queues(Clients.sqs(), settings.interactive_queue_url, settings.batch_queue_url)
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
        HealthRoutes(fleet, queues, logger("result")),
    )
