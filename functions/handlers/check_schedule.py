"""Lambda entry point of the minute schedule of checks, and of the queue of hints and events about them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.checks.keys import GROUPS, ids_of_check
from functions.checks.runs.firing import fire, repair_clock
from functions.checks.runs.groups import wake
from functions.checks.runs.hints import CheckHint, message_of, read_message
from functions.checks.runs.start import CheckRequested, start_after_submission, start_requested
from functions.checks.runs.steps import RunSteps
from functions.checks.runs.store import Due, RunStore
from functions.checks.settings.trigger_rows import SubmissionEnded
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.handlers.batches import handle_batch
from functions.submissions.direct import direct_run
from functions.submissions.results.overview import RunCounts
from functions.submissions.sweeper import round_robin
from functions.telemetry import metrics

SERVICE = "schedule"
THREADS = 8
RESERVE_MS = 20_000
"""No row and no message is begun in this last part of an invocation, so that its calls end in time."""

SETTINGS = (
    *("projects_table", "checks_table", "submissions_table", "deliveries_table", "quotas_table", "payloads_bucket"),
    *("checks_queue_url", "deliveries_queue_url", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("endpoint_secrets_key_id", "event_bus_name", "public_base_url"),
    *("retention_days", "max_queue_depth", "pending_redrive_secs"),
)
ENV = Env(SERVICE, SETTINGS)
ENV.provide(direct_run, lambda _: None)  # programs of checks go through a queue: no client waits for their answer


def handle(env: Env, message: str) -> None:
    """Handle a message of the queue: the next step of a run, or start checks. Raises MessageInvalidError.

    Repeating the call is safe.
    """
    body = read_message(message)
    if "detail-type" in body:
        start_requested(env, CheckRequested.of(body))
        return
    if "check_ids" in body:
        start_after_submission(env, message_of(SubmissionEnded, body))
        return
    hint = message_of(CheckHint, body)
    if hint.pk.startswith(GROUPS):
        start_group(env, hint.pk, hint.sk, hint.due_at_ms)
        return
    run = env[RunStore].get_run(hint.pk, hint.sk)
    if run is not None:
        env[RunSteps].step(run, has_ended=hint.has_ended)


def start_group(env: Env, pk: str, name: str, due_at_ms: int = 0) -> None:
    """Start the runs of a group whose time has come. Repeating the call is safe."""
    for row_key in wake(env, pk, name, due_at_ms):
        run = env[RunStore].get_run(*row_key)
        if run is not None:
            env[RunSteps].step(run)


def serve(env: Env, row: Due) -> None:
    """Start the runs of a due check or group, or do the next step of a due run. Repeating the call is safe."""
    if row.is_group:
        start_group(env, row.pk, row.sk)
        return
    if row.is_check:
        runs = fire(env, *ids_of_check(row.pk, row.sk))
    else:
        due = env[RunStore].get_run(row.pk, row.sk)
        runs = [] if due is None else [due]
    for run in runs:
        env[RunSteps].step(run)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start the runs of due checks on an event of the schedule; do what messages of the queue say."""
    try:
        return handle_batch(event, partial(_hinted, context)) if "Records" in event else _serve_due(context)
    finally:
        ENV[RunCounts].write_due()


def _serve_due(context: LambdaContext) -> dict[str, Any]:
    _repair_clock()
    now = ENV.clock()
    due = sorted(ENV[RunStore].due(now), key=lambda row: row.due_at_ms)
    due = round_robin(due, {row: row.project_id for row in due})  # a large backlog of one does not hold up the others
    with ThreadPoolExecutor(THREADS) as pool:
        failed = sum(pool.map(lambda row: _serve(row, context), due))
    age_ms = max((now - row.due_at_ms for row in due), default=0)
    metrics(SERVICE).add("OldestCheckAge", age_ms / MS_PER_SEC, "Seconds")
    return {"due": len(due), "failed": failed}


def _repair_clock() -> None:
    try:
        if moved := repair_clock(ENV):
            ENV.log.warning("The clock ran ahead, and checks and runs were put off by it", moved=moved)
    except Exception:
        ENV.log.exception("Checks and runs are not looked at for a clock that ran ahead")


def _serve(row: Due, context: LambdaContext) -> bool:
    """Serve one due row. True if that failed: it stays due."""
    if context.get_remaining_time_in_millis() < RESERVE_MS:
        return False
    try:
        serve(ENV, row)
    except Exception:
        ENV.log.exception("Check not handled; it stays due", row=f"{row.pk} {row.sk}")
        return True
    return False


def _hinted(context: LambdaContext, record: SQSRecord) -> None:
    if context.get_remaining_time_in_millis() < RESERVE_MS:
        # Lambda would end us in the middle, and then SQS repeats also the messages that were served.
        ENV.log.warning("Message about checks put off; SQS sends it again", message_id=record.message_id)
        raise TimeoutError
    try:
        handle(ENV, record.body)
    except Exception:
        ENV.log.exception("Message about checks not served", message_id=record.message_id)
        raise
