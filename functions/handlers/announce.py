"""Lambda entry point of the stream of the submissions table: announce final submissions on the event bus."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.checks.runs.hints import CheckHints
from functions.checks.settings.trigger_rows import SubmissionTriggers, TriggerStore
from functions.env import Env
from functions.judging.runs import JudgedRuns
from functions.submissions.completed_event import Announced, Announcer, OnFinal, judge_runs, on_final
from functions.submissions.store import SUBMISSION_SK, submission_id_of
from functions.telemetry import metrics

SERVICE = "announce"

SETTINGS = (
    *("submissions_table", "checks_table", "checks_queue_url", "payloads_bucket"),
    *("event_bus_name", "public_base_url"),
)
ENV = Env(SERVICE, SETTINGS)
ENV.provide(judge_runs, JudgedRuns)


def start_checks(env: Env) -> OnFinal:
    """Return what starts the checks that follow a final submission."""
    return SubmissionTriggers(env[TriggerStore], env[CheckHints].send_submission).start_checks


ENV.provide(on_final, start_checks)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Announce the submissions of a batch of records. Lambda calls again from the first failed one."""
    latest = {}  # of several changes of one row, the last one counts
    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        if record["eventName"] != "REMOVE" and keys["sk"]["S"] == SUBMISSION_SK:
            latest[submission_id_of(keys["pk"]["S"])] = record["dynamodb"]["SequenceNumber"]
    announced = ENV[Announcer].announce(list(latest)) if latest else Announced()
    log = ENV.log
    log.info("Changed submissions announced", count=announced.count)
    for submission_id, code in announced.refused.items():
        log.warning("Event refused by the bus; Lambda repeats it", submission_id=submission_id, error_code=code)
    for submission_id, code in announced.skipped.items():
        log.error("Event skipped, because no retry can help", submission_id=submission_id, error_code=code)
        metrics(SERVICE).add("EventSkipped")
    return {"batchItemFailures": [{"itemIdentifier": latest[submission_id]} for submission_id in announced.refused]}
