"""Wire the parts that complete submissions, which several entry points share.

`submit` imports this module at its cold start, so it must not import the parts that send webhooks.
"""

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.event_log.bus import Bus
from functions.judging.progress_store import ProgressStore
from functions.judging.runs import JudgedRuns
from functions.projects.quota_store import QuotaStore
from functions.settings import (
    RecordSettings,
    SubmitSettings,
    SweepSettings,
)
from functions.submissions.complete.completer import Completer, OnFinal, do_nothing
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger, metrics
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.endpoints.subscriber_cache import SubscriberCache


def event_bus(settings: SweepSettings) -> Bus:
    """Return the event bus."""
    return Bus(settings.event_bus_name, Clients.events(), settings.public_base_url)


def judged_runs(settings: SubmitSettings | RecordSettings) -> JudgedRuns:
    """Return the part that ends, repeats and announces judge runs."""
    progress = ProgressStore(settings.submissions_table, Clients.dynamodb())
    return JudgedRuns(Payloads(settings.payloads_bucket, Clients.s3), progress, settings.public_base_url)


def completer(
    settings: SubmitSettings | RecordSettings | SweepSettings, service: str, on_final: OnFinal = do_nothing
) -> Completer:
    """Return the part that writes final states."""
    dynamodb = Clients.dynamodb()
    judged = judged_runs(settings)
    return Completer(
        client=dynamodb,
        submissions=SubmissionStore(settings.submissions_table, dynamodb),
        payloads=judged.payloads,
        quotas=QuotaStore(settings.quotas_table, dynamodb),
        deliveries=DeliveryStore(settings.deliveries_table, dynamodb),
        subscribers=SubscriberCache(EndpointStore(settings.deliveries_table, dynamodb)),
        hints=DeliveryHints(Clients.sqs(), settings.deliveries_queue_url),
        judge_runs=judged,
        public_base_url=settings.public_base_url,
        log=logger(service),
        metrics=metrics(service),
        on_final=on_final,
    )
