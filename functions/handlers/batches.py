"""Partial batch responses: SQS sends only the failed messages of a batch again."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from functions import otlp
from functions.telemetry import logger


def handle_batch(event: dict[str, Any], handle_record: Callable[[SQSRecord], None]) -> dict[str, Any]:
    """Call `handle_record` for each message. A message whose call raises is reported as failed."""
    # Powertools' processor does the same, and defines the models of all of its events first: 33 ms of a cold start.
    failures = []
    for record in map(SQSRecord, event["Records"]):
        try:
            handle_record(record)
        except Exception:  # noqa: BLE001 - the other messages of the batch are handled all the same
            failures.append({"itemIdentifier": record.message_id})
    otlp.flush(logger("otlp"))
    return {"batchItemFailures": failures}
