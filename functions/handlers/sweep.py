"""Lambda entry point of the minute schedule and of the dead-letter queues."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import otlp
from functions.checks import keys as check_keys
from functions.checks.runs.hints import tell_checks
from functions.checks.settings.store import CheckStore
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.files.store import FileStore
from functions.files.use import IsHeld, StoredFiles, file_holders
from functions.handlers.batches import handle_batch
from functions.judging.model import HOLDER
from functions.judging.problem_store import StoredProblems
from functions.judging.runs import JudgedRuns
from functions.submissions.completed_event import judge_runs, on_final, plan_transform_end
from functions.submissions.completion import Recorder, settle, submission_of
from functions.submissions.sweeper import RESERVE_MS, SharedSweep, Sweep
from functions.submissions.transforms import transform_end
from functions.telemetry import metrics

SERVICE = "sweep"
_MOST_FILES = 500
"""Of one sweep."""

SETTINGS = (
    *("submissions_table", "deliveries_table", "checks_table", "runners_table", "quotas_table", "payloads_bucket"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url", "deliveries_queue_url"),
    *("checks_queue_url", "event_bus_name"),
    *("public_base_url", "endpoint_secrets_key_id", "pending_redrive_secs", "webhook_senders", "compress_cases"),
)
ENV = Env(SERVICE, SETTINGS)
ENV.provide(judge_runs, JudgedRuns)
ENV.provide(on_final, tell_checks)
ENV.provide(plan_transform_end, transform_end)


def holders(env: Env) -> Mapping[str, IsHeld]:
    """Return what knows the files of checks and of problems."""
    return {check_keys.HOLDER: env[CheckStore].names_file, HOLDER: env[StoredProblems].is_held}


ENV.provide(file_holders, holders)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle the dead letters of an SQS event; sweep on an event of the schedule."""
    if "Records" in event:
        return handle_batch(event, _settle)
    sweep = Sweep(ENV)
    shared = SharedSweep(sweep, context.get_remaining_time_in_millis, ENV.log)
    shared.run()
    _sweep_files(context)
    metrics(SERVICE).add("OldestDueAge", sweep.oldest_due_age_ms / MS_PER_SEC, "Seconds")
    otlp.flush(ENV.log)
    return {"handled": shared.handled, "failed": shared.failed}


def _sweep_files(context: LambdaContext) -> None:
    """Delete files that nothing used for a day, and objects of files that are gone."""
    for entry in ENV[FileStore].due(ENV.clock(), _MOST_FILES):
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            return
        try:
            ENV[StoredFiles].sweep(entry)
        except Exception:
            ENV.log.exception("File not deleted; the next sweep deletes it", project_id=entry.project_id)


def _settle(record: SQSRecord) -> None:
    ids = {"message_id": record.message_id, "submission_id": submission_of(record.body)}
    try:
        how = settle(record.body, ENV[Recorder])
    except Exception:
        ENV.log.exception("Dead letter not settled", extra=ids)
        raise
    ENV.log.warning("Dead letter settled", how=how, extra=ids)
