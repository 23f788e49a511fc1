"""Lambda entry point of the minute schedule and of the dead-letter queues."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import otlp
from functions.aws.deployment import preload
from functions.checks import keys as check_keys
from functions.checks.deployment import CheckDeployment
from functions.checks.settings.store import CheckStore
from functions.clock import MS_PER_SEC
from functions.files.use import IsHeld, StoredFiles, file_holders
from functions.handlers.batches import handle_batch
from functions.judging.deployment import JudgeDeployment
from functions.judging.model import HOLDER
from functions.settings import load_settings
from functions.submissions.completion import settle, submission_of
from functions.submissions.sweep_deployment import SweepDeployment
from functions.submissions.sweeper import RESERVE_MS, SharedSweep
from functions.telemetry import logger, metrics

SERVICE = "sweep"
_MOST_FILES = 500
"""Of one sweep."""


preload(
    "aws.payloads",
    "checks.runs.hints",
    "checks.settings.store",
    "event_log.bus",
    "files.objects",
    "files.store",
    "files.use",
    "judging.problem_store",
    "judging.runs",
    "projects.quota_store",
    "submissions.completed_event",
    "submissions.completion",
    "submissions.queues",
    "submissions.runners.store",
    "submissions.store",
    "submissions.sweeper",
    "webhooks.alerts",
    "webhooks.deliveries.publication",
    "webhooks.deliveries.store",
    "webhooks.endpoints.store",
    "webhooks.sealed_secrets",
    "webhooks.sending.slots",
)

SETTINGS = (
    *("submissions_table", "deliveries_table", "checks_table", "runners_table", "quotas_table", "payloads_bucket"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url", "deliveries_queue_url"),
    *("checks_queue_url", "event_bus_name"),
    *("public_base_url", "endpoint_secrets_key_id", "pending_redrive_secs", "webhook_senders"),
)


class EveryDeployment(CheckDeployment, JudgeDeployment, SweepDeployment):
    """What sweeps, with judge runs and the checks that wait for submissions."""


@cache
def deployment() -> EveryDeployment:
    """Return the deployment, created on the first call."""
    made = EveryDeployment(load_settings(SETTINGS), logger(SERVICE))
    made.provide(file_holders, holders)
    return made


def holders(env: EveryDeployment) -> Mapping[str, IsHeld]:
    """Return what knows the files of checks and of problems."""
    return {check_keys.HOLDER: env[CheckStore].names_file, HOLDER: env.problem_lookup.is_held}


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle the dead letters of an SQS event; sweep on an event of the schedule."""
    if "Records" in event:
        return handle_batch(event, _settle)
    sweep = deployment().new_sweep()
    shared = SharedSweep(sweep, context.get_remaining_time_in_millis, logger(SERVICE))
    shared.run()
    _sweep_files(context)
    metrics(SERVICE).add("OldestDueAge", sweep.oldest_due_age_ms / MS_PER_SEC, "Seconds")
    otlp.flush(logger(SERVICE))
    return {"handled": shared.handled, "failed": shared.failed}


def _sweep_files(context: LambdaContext) -> None:
    """Delete files that nothing used for a day, and objects of files that are gone."""
    sweeping = deployment()
    for entry in sweeping.files.due(sweeping.clock(), _MOST_FILES):
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            return
        try:
            sweeping[StoredFiles].sweep(entry)
        except Exception:  # noqa: BLE001 - as for other rows: it is due again in the next sweep
            logger(SERVICE).exception("File not deleted; the next sweep deletes it", project_id=entry.project_id)


def _settle(record: SQSRecord) -> None:
    ids = {"message_id": record.message_id, "submission_id": submission_of(record.body)}
    try:
        how = settle(record.body, deployment().recorder)
    except Exception:
        logger(SERVICE).exception("Dead letter not settled", extra=ids)
        raise
    logger(SERVICE).warning("Dead letter settled", how=how, extra=ids)
