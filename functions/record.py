"""Lambda entry point of the completions queue: starts, results and heartbeats from the runners."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.completions import Completions
from functions.core.messages import RunnerHeartbeat, parse_completions_message
from functions.fanout import FanOut
from functions.payloads import Payloads
from functions.queues import Queues
from functions.settings import Clients, RecordSettings, load
from functions.store.deliveries import DeliveryStore
from functions.store.runners import RunnerStore
from functions.store.submissions import SubmissionStore
from functions.telemetry import logger, metrics

SERVICE = "record"


@cache
def wired() -> Completions:
    """Wire the parts from the environment, on the first call."""
    settings = load(RecordSettings)
    dynamodb = Clients.dynamodb()
    submissions = SubmissionStore(settings.submissions_table, dynamodb)
    payloads = Payloads(settings.payloads_bucket, Clients.s3())
    fanout = FanOut(
        submissions=submissions,
        deliveries=DeliveryStore(settings.deliveries_table, dynamodb),
        queues=Queues(Clients.sqs()),
        payloads=payloads,
        deliveries_queue_url=settings.deliveries_queue_url,
        public_base_url=settings.public_base_url,
    )
    runners = RunnerStore(settings.runners_table, dynamodb)
    return Completions(submissions, runners, payloads, fanout, metrics(SERVICE))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record a batch; a message that fails is received again, and in the end goes to the dead-letter queue."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event=event, record_handler=_record, processor=processor, context=context))


def _record(record: SQSRecord) -> None:
    log = logger(SERVICE)
    try:
        message = parse_completions_message(record.body)
        wired().apply(message)
    except Exception:
        log.exception("Completion not recorded", message_id=record.message_id)
        raise
    if not isinstance(message, RunnerHeartbeat):
        log.info(
            "Completion recorded",
            correlation_id=message.submission_id,
            submission_id=message.submission_id,
            message_type=message.type,
        )
