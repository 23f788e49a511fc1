"""Lambda entry point of the minute schedule and of the dead-letter queues."""

from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.clock import MS_PER_SEC
from functions.handlers.batches import handle_batch
from functions.handlers.record_wiring import recorder
from functions.handlers.sweep_wiring import sweep_over
from functions.settings import SweepSettings, load
from functions.submissions.complete.record import Recorder
from functions.submissions.sweep.dead_letters import settle, submission_of
from functions.submissions.sweep.shared_sweep import SharedSweep
from functions.submissions.sweep.sweeper import Sweep
from functions.telemetry import logger, metrics

SERVICE = "sweep"


@cache
def wired() -> Recorder:
    """Return the wired parts that outlive one sweep, created on the first call."""
    return recorder(load(SweepSettings), SERVICE)


def new_sweep() -> Sweep:
    """Return a sweep over the wired parts."""
    return sweep_over(wired(), load(SweepSettings))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle the dead letters of an SQS event; sweep on an event of the schedule."""
    if "Records" in event:
        return handle_batch(event, context, _settle)
    sweep = new_sweep()
    shared = SharedSweep(sweep, context.get_remaining_time_in_millis, logger(SERVICE))
    shared.run()
    metrics(SERVICE).add("OldestDueAge", sweep.oldest_due_age_ms / MS_PER_SEC, MetricUnit.Seconds)
    return {"handled": shared.handled, "failed": shared.failed}


def _settle(record: SQSRecord) -> None:
    ids = {"message_id": record.message_id, "submission_id": submission_of(record.body)}
    try:
        how = settle(record.body, wired())
    except Exception:
        logger(SERVICE).exception("Dead letter not settled", extra=ids)
        raise
    logger(SERVICE).warning("Dead letter settled", how=how, extra=ids)
