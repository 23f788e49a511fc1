"""Lambda entry point of the minute schedule and of the dead-letter queues."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.aws.clients import Clients
from functions.clock import MS_PER_SEC
from functions.handlers.batches import handle_batch
from functions.handlers.record_wiring import recorder
from functions.handlers.webhook_wiring import outbox
from functions.settings import SweepSettings, load
from functions.submissions.backlog import DueSubmission, Entry
from functions.submissions.dead_letters import settle, submission_of
from functions.submissions.queues import Queues
from functions.submissions.record import Recorder
from functions.submissions.sweeper import Sweep
from functions.telemetry import logger, metrics
from functions.webhooks.endpoints.deletions import Deletions
from functions.webhooks.endpoints.disabled_event import DisabledEvents
from functions.webhooks.sending.lane_store import LaneStore
from functions.webhooks.sending.lane_waker import LaneWaker
from functions.webhooks.sending.secret_box import SecretBoxes
from functions.webhooks.sending.slots import project_slots

SERVICE = "sweep"
ALONE_ROWS = 100
"""Rows that one thread handles before HELPERS more threads start."""
HELPERS = 7
RESERVE_MS = 20_000
"""No row is begun in this last part of an invocation, so that its calls end in time."""


@cache
def wired() -> Recorder:
    """Return the wired parts that outlive one sweep, created on the first call."""
    return recorder(load(SweepSettings), SERVICE)


def new_sweep() -> Sweep:
    """Return a sweep over the wired parts."""
    settings = load(SweepSettings)
    urls = {"interactive": settings.interactive_queue_url, "batch": settings.batch_queue_url}
    completer, table = wired().completer, settings.deliveries_table
    box, clock = outbox(settings), completer.clock
    deletions = Deletions(table, Clients.dynamodb(), clock)
    lanes = LaneStore(table, Clients.dynamodb(), clock)
    lane_waker = LaneWaker(lanes, box.hints, project_slots(settings.webhook_senders), clock)
    return Sweep(
        completer=completer,
        submissions=completer.submissions,
        payloads=completer.payloads,
        deliveries=box.deliveries,
        hints=box.hints,
        endpoints=box.endpoints,
        disabled_events=DisabledEvents(box.endpoints, box),
        deletions=deletions,
        lane_waker=lane_waker,
        boxes=SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms),
        queues=Queues(Clients.sqs()),
        queue_urls=urls,
        pending_redrive_ms=settings.pending_redrive_secs * MS_PER_SEC,
        clock=clock,
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle the dead letters of an SQS event; sweep on an event of the schedule."""
    if "Records" not in event:
        return _sweep(context)
    return handle_batch(event, context, _settle)


def _sweep(context: LambdaContext) -> dict[str, Any]:
    """Handle due rows until none remains or the time is over. A large backlog gets more threads."""
    sweep = new_sweep()
    shared = _SharedSweep(sweep, context)
    shared.run(ALONE_ROWS)
    if not shared.is_over:
        with ThreadPoolExecutor(HELPERS) as pool:
            helpers = [pool.submit(shared.run) for _ in range(HELPERS)]
            shared.run()
        for helper in helpers:
            helper.result()
    metrics(SERVICE).add("OldestDueAge", sweep.oldest_due_age_ms / MS_PER_SEC, MetricUnit.Seconds)
    return {"driven": shared.driven, "failed": shared.failed}


class _SharedSweep:
    """The entries of one sweep, shared by its threads."""

    def __init__(self, sweep: Sweep, context: LambdaContext) -> None:
        self._sweep = sweep
        self._context = context
        self._entries = sweep.entries()
        self._lock = threading.Lock()
        self.is_over = False
        self.driven = 0
        self.failed = 0

    def run(self, most: int | None = None) -> None:
        """Handle entries one after the other, at most `most` if it is not None."""
        while (most is None or self.driven < most) and (entry := self._next()) is not None:
            try:
                self._sweep.handle(entry)
            except Exception:  # noqa: BLE001 - one broken row must not stop the others; it is due again in a minute
                with self._lock:
                    self.failed += 1
                ids = {"submission_id": entry.submission_id} if isinstance(entry, DueSubmission) else {}
                logger(SERVICE).exception("Row not driven", row=entry.row_id, extra=ids)

    def _next(self) -> Entry | None:
        with self._lock:
            if self.is_over or self._context.get_remaining_time_in_millis() < RESERVE_MS:
                self.is_over = True
                return None
            entry = next(self._entries, None)
            self.is_over = entry is None
            self.driven += entry is not None
            return entry


def _settle(record: SQSRecord) -> None:
    ids = {"message_id": record.message_id, "submission_id": submission_of(record.body)}
    try:
        how = settle(record.body, wired())
    except Exception:
        logger(SERVICE).exception("Dead letter not settled", extra=ids)
        raise
    logger(SERVICE).warning("Dead letter settled", how=how, extra=ids)
