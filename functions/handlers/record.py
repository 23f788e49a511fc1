"""Lambda entry point of the completions queue: starts, results and heartbeats from the runners."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.handlers.wiring import completions
from functions.messages.wire import ExecutionCompleted, ExecutionStarted, parse_completions_message
from functions.settings import RecordSettings, load
from functions.submissions.complete import Completions
from functions.telemetry import logger

SERVICE = "record"


@cache
def wired() -> Completions:
    """Wire the parts from the environment, on the first call."""
    return completions(load(RecordSettings), SERVICE)


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
    if isinstance(message, ExecutionStarted | ExecutionCompleted):
        log.info(
            "Completion recorded",
            correlation_id=message.submission_id,
            submission_id=message.submission_id,
            message_type=message.type,
        )
