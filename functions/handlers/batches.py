"""Partial batch responses: SQS sends only the failed messages of a batch again."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import otlp
from functions.telemetry import logger


def handle_batch(
    event: dict[str, Any], context: LambdaContext, handle_record: Callable[[SQSRecord], None]
) -> dict[str, Any]:
    """Call `handle_record` for each message. A message whose call raises is reported as failed."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    answer = dict(
        process_partial_response(event=event, record_handler=handle_record, processor=processor, context=context)
    )
    otlp.flush(logger("otlp"))
    return answer
