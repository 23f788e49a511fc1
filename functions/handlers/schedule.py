"""Lambda entry point of the minute schedule of checks, and of the queue of hints and events about them."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.checks.runs.store import Due
from functions.clock import MS_PER_SEC
from functions.handlers.batches import handle_batch
from functions.handlers.check_wiring import Checks, wire
from functions.settings import ScheduleSettings, load
from functions.submissions.sweep.backlog import round_robin
from functions.telemetry import logger, metrics

SERVICE = "schedule"
THREADS = 8
RESERVE_MS = 20_000
"""No row and no message is begun in this last part of an invocation, so that its calls end in time."""


@cache
def wired() -> Checks:
    """Return the wired parts, created on the first call."""
    return wire(load(ScheduleSettings), SERVICE)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the due slots and runs on an event of the schedule; do what messages of the queue say."""
    if "Records" in event:
        return handle_batch(event, context, partial(_hinted, context))
    parts = wired()
    _repair_clock(parts)
    now = parts.firing.clock()
    due = sorted(parts.runs.due(now), key=lambda row: row.due_at_ms)
    due = round_robin(due, {row: row.project_id for row in due})  # a large backlog of one does not hold up the others
    with ThreadPoolExecutor(THREADS) as pool:
        failed = sum(pool.map(lambda row: _serve(row, context), due))
    age_ms = max((now - row.due_at_ms for row in due), default=0)
    metrics(SERVICE).add("OldestCheckAge", age_ms / MS_PER_SEC, MetricUnit.Seconds)
    return {"due": len(due), "failed": failed}


def _repair_clock(parts: Checks) -> None:
    try:
        if moved := parts.repair_clock():
            logger(SERVICE).warning("The clock ran ahead, and checks and runs were put off by it", moved=moved)
    except Exception:  # noqa: BLE001 - the next minute repeats it
        logger(SERVICE).exception("Checks and runs are not looked at for a clock that ran ahead")


def _serve(row: Due, context: LambdaContext) -> bool:
    """Serve one due row. True if that failed: it stays due."""
    if context.get_remaining_time_in_millis() < RESERVE_MS:
        return False
    try:
        wired().serve(row)
    except Exception:  # noqa: BLE001 - one broken row must not stop the others; it stays due
        logger(SERVICE).exception("Check not handled; it stays due", row=f"{row.pk} {row.sk}")
        return True
    return False


def _hinted(context: LambdaContext, record: SQSRecord) -> None:
    if context.get_remaining_time_in_millis() < RESERVE_MS:
        # Lambda would end us in the middle, and then SQS repeats also the messages that were served.
        logger(SERVICE).warning("Message about checks put off; SQS sends it again", message_id=record.message_id)
        raise TimeoutError
    try:
        wired().take(record.body)
    except Exception:
        logger(SERVICE).exception("Message about checks not served", message_id=record.message_id)
        raise
