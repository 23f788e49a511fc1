"""Lambda entry point of the completions queue: starts, results and heartbeats of the runners."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.handlers.batches import handle_batch
from functions.handlers.wiring import completions
from functions.messages.wire import ExecutionCompleted, ExecutionStarted, parse_completions_message
from functions.settings import RecordSettings, load
from functions.submissions.complete import Completions
from functions.telemetry import logger

SERVICE = "record"


@cache
def wired() -> Completions:
    """Return the wired parts, created on the first call."""
    return completions(load(RecordSettings), SERVICE)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record a batch. A failed message is received again; after too many receives it goes to the dead-letter queue."""
    return handle_batch(event, context, _record)


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
