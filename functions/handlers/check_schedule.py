"""Lambda entry point of the minute schedule of checks, and of the queue of hints and events about them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.aws.deployment import preload
from functions.checks.deployment import CheckRunDeployment
from functions.checks.keys import ids_of_check
from functions.checks.runs.hints import CheckHint, read_message
from functions.checks.runs.start import CheckRequested
from functions.checks.runs.store import Due
from functions.checks.settings.trigger_rows import SubmissionEnded
from functions.clock import MS_PER_SEC
from functions.handlers.batches import handle_batch
from functions.settings import load_settings
from functions.submissions.backlog import round_robin
from functions.telemetry import logger, metrics

SERVICE = "schedule"
THREADS = 8
RESERVE_MS = 20_000
"""No row and no message is begun in this last part of an invocation, so that its calls end in time."""

preload(
    "aws.payloads",
    "checks.runs.start",
    "checks.runs.complete",
    "checks.runs.steps",
    "checks.settings.changes",
    "checks.settings.store",
    "checks.settings.trigger_rows",
    "event_log.bus",
    "files.objects",
    "files.store",
    "files.use",
    "projects.quota_store",
    "submissions.accept.acceptance",
    "submissions.accept.start",
    "submissions.run.queues",
    "submissions.store",
    "webhooks.deliveries.hints",
    "webhooks.deliveries.publication",
    "webhooks.deliveries.store",
    "webhooks.endpoints.store",
    "webhooks.sealed_secrets",
)

SETTINGS = (
    *("projects_table", "checks_table", "submissions_table", "deliveries_table", "quotas_table", "payloads_bucket"),
    *("checks_queue_url", "deliveries_queue_url", "interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("endpoint_secrets_key_id", "event_bus_name", "public_base_url"),
    *("retention_days", "max_queue_depth", "pending_redrive_secs"),
)


@dataclass(frozen=True, slots=True)
class CheckDispatch:
    """Gives due rows and messages of the queue to the parts that handle them. Repeating a call is safe."""

    deployment: CheckRunDeployment

    def handle(self, message: str) -> None:
        """Handle a message of the queue: the next step of a run, or start checks. Raises MessageInvalidError."""
        body = read_message(message)
        if "detail-type" in body:
            self.deployment.requested_runs.start(CheckRequested.of(body))
            return
        if "check_ids" in body:
            self.deployment.following.after_submission(SubmissionEnded.of(body))
            return
        hint = CheckHint.of(body)
        run = self.deployment.check_runs.get_run(hint.pk, hint.sk)
        if run is not None:
            self.deployment.run_steps.step(run, has_ended=hint.has_ended)

    def serve(self, row: Due) -> None:
        """Start the runs of a due check, or do the next step of a due run."""
        if row.is_check:
            runs = self.deployment.firing.fire(*ids_of_check(row.pk, row.sk))
        else:
            due = self.deployment.check_runs.get_run(row.pk, row.sk)
            runs = [] if due is None else [due]
        for run in runs:
            self.deployment.run_steps.step(run)


@cache
def deployment() -> CheckRunDeployment:
    """Return the deployment, created on the first call."""
    return CheckRunDeployment(load_settings(SETTINGS), logger(SERVICE))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start the runs of due checks on an event of the schedule; do what messages of the queue say."""
    if "Records" in event:
        return handle_batch(event, partial(_hinted, context))
    _repair_clock()
    now = deployment().clock()
    due = sorted(deployment().check_runs.due(now), key=lambda row: row.due_at_ms)
    due = round_robin(due, {row: row.project_id for row in due})  # a large backlog of one does not hold up the others
    with ThreadPoolExecutor(THREADS) as pool:
        failed = sum(pool.map(lambda row: _serve(row, context), due))
    age_ms = max((now - row.due_at_ms for row in due), default=0)
    metrics(SERVICE).add("OldestCheckAge", age_ms / MS_PER_SEC, "Seconds")
    return {"due": len(due), "failed": failed}


def _repair_clock() -> None:
    try:
        if moved := deployment().clock_repair():
            logger(SERVICE).warning("The clock ran ahead, and checks and runs were put off by it", moved=moved)
    except Exception:  # noqa: BLE001 - the next minute repeats it
        logger(SERVICE).exception("Checks and runs are not looked at for a clock that ran ahead")


def _serve(row: Due, context: LambdaContext) -> bool:
    """Serve one due row. True if that failed: it stays due."""
    if context.get_remaining_time_in_millis() < RESERVE_MS:
        return False
    try:
        CheckDispatch(deployment()).serve(row)
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
        CheckDispatch(deployment()).handle(record.body)
    except Exception:
        logger(SERVICE).exception("Message about checks not served", message_id=record.message_id)
        raise
