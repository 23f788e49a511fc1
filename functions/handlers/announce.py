"""Lambda entry point of the stream of the submissions table: announce final submissions on the event bus."""

from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.aws.deployment import preload
from functions.checks.deployment import CheckDeployment
from functions.checks.runs.hints import CheckHints
from functions.checks.settings.trigger_rows import SubmissionTriggers, TriggerStore
from functions.judging.deployment import JudgeDeployment
from functions.settings import load_settings
from functions.submissions.completed_event import Announced, Announcer, event_of
from functions.submissions.store import SUBMISSION_SK, submission_id_of
from functions.telemetry import logger, metrics

SERVICE = "announce"


preload(
    "checks.runs.hints",
    "checks.settings.trigger_rows",
    "event_log.bus",
    "judging.runs",
    "submissions.store",
)

SETTINGS = (
    *("submissions_table", "checks_table", "checks_queue_url", "payloads_bucket"),
    *("event_bus_name", "public_base_url"),
)


class AnnounceDeployment(CheckDeployment, JudgeDeployment):
    """Submissions and judge runs, and the checks that follow them."""


@cache
def wired() -> Announcer:
    """Return the wired parts, created on the first call."""
    deployment = AnnounceDeployment(load_settings(SETTINGS), logger(SERVICE))
    started = SubmissionTriggers(deployment[TriggerStore], deployment[CheckHints].send_submission)
    event = partial(event_of, deployment.judge_runs, deployment.payloads, deployment.settings.public_base_url)
    return Announcer(deployment.submissions, deployment.event_bus, event, started.start_checks)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Announce the submissions of a batch of records. Lambda calls again from the first failed one."""
    latest = {}  # of several changes of one row, the last one counts
    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        if record["eventName"] != "REMOVE" and keys["sk"]["S"] == SUBMISSION_SK:
            latest[submission_id_of(keys["pk"]["S"])] = record["dynamodb"]["SequenceNumber"]
    announced = wired().announce(list(latest)) if latest else Announced()
    log = logger(SERVICE)
    log.info("Changed submissions announced", count=announced.count)
    for submission_id, code in announced.refused.items():
        log.warning("Event refused by the bus; Lambda repeats it", submission_id=submission_id, error_code=code)
    for submission_id, code in announced.skipped.items():
        log.error("Event skipped, because no retry can help", submission_id=submission_id, error_code=code)
        metrics(SERVICE).add("EventSkipped")
    return {"batchItemFailures": [{"itemIdentifier": latest[submission_id]} for submission_id in announced.refused]}
