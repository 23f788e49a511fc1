"""Lambda entry point of the minute schedule and of the dead-letter queues."""

from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.clients import Clients
from functions.completions import Completions
from functions.core.clock import MS_PER_SEC
from functions.dead_letters import bury
from functions.redrive import Redrive
from functions.settings import SweepSettings, load
from functions.store.deletions import Deletions
from functions.telemetry import logger, metrics
from functions.wiring import completions

SERVICE = "sweep"
MAX_ROWS = 2000
"""Rate limit: what one sweep may drive at most, so that a long outage does not come back as a flood."""
RESERVE_MS = 10_000


@cache
def wired() -> Completions:
    """Wire the parts that outlive one sweep from the environment, on the first call."""
    return completions(load(SweepSettings), SERVICE)


def redrive() -> Redrive:
    """Begin one sweep over the wired parts."""
    settings = load(SweepSettings)
    urls = {"interactive": settings.interactive_queue_url, "batch": settings.batch_queue_url}
    deletions = Deletions(settings.deliveries_table, Clients.dynamodb(), wired().clock)
    return Redrive(wired(), deletions, urls, settings.pending_redrive_secs * MS_PER_SEC, wired().clock)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle dead letters if the event brings any, else sweep."""
    if "Records" not in event:
        return _sweep(context)
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event=event, record_handler=_bury, processor=processor, context=context))


def _sweep(context: LambdaContext) -> dict[str, Any]:
    sweep, driven, failed = redrive(), 0, 0
    for entry in sweep.entries():
        if driven >= MAX_ROWS or context.get_remaining_time_in_millis() < RESERVE_MS:
            break
        driven += 1
        try:
            sweep.act(entry)
        except Exception:  # noqa: BLE001 - the others still get their turn; this row is due again in a minute
            failed += 1
            logger(SERVICE).exception("Row not driven", row=entry.row_id)
    metrics(SERVICE).add("OldestDueAge", sweep.oldest_due_age_ms / MS_PER_SEC, MetricUnit.Seconds)
    return {"driven": driven, "failed": failed}


def _bury(record: SQSRecord) -> None:
    try:
        how = bury(record.body, wired())
    except Exception:
        logger(SERVICE).exception("Dead letter not settled", message_id=record.message_id)
        raise
    logger(SERVICE).warning("Dead letter settled", message_id=record.message_id, how=how)
