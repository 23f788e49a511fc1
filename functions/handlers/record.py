"""Lambda entry point of the completions queue: starts, results and heartbeats of the runners."""

from contextlib import suppress
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from events import MessageInvalidError
from events.completed import EndOfExecution, FromExecution
from events.runner import CompletionsMessage, ExecutionStarted, RunnerHeartbeat, parse_completions_message
from functions.checks.runs.hints import tell_checks
from functions.env import Env
from functions.handlers.batches import handle_batch
from functions.judging.runs import JudgedRuns
from functions.submissions.completed_event import judge_runs, on_final, plan_transform_end
from functions.submissions.completion import Recorder
from functions.submissions.model import Submission
from functions.submissions.transforms import transform_end
from functions.telemetry import metrics
from functions.webhooks.deliveries.publication import Hint

SERVICE = "record"

SETTINGS = (
    *("submissions_table", "deliveries_table", "runners_table", "quotas_table", "payloads_bucket"),
    *("deliveries_queue_url", "checks_queue_url", "public_base_url", "compress_cases"),
)
ENV = Env(SERVICE, SETTINGS)
ENV.provide(judge_runs, JudgedRuns)
ENV.provide(on_final, tell_checks)
ENV.provide(plan_transform_end, transform_end)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Record a batch. A failed message is received again; after too many receives it goes to the dead-letter queue."""
    parsed = {record["messageId"]: _parse(record["body"]) for record in event["Records"]}
    rows = ENV[Recorder].rows_of(filter(None, parsed.values()))  # one read for the whole batch
    hints: list[Hint] = []
    answer = handle_batch(event, partial(_record, parsed, rows, hints))
    ENV[Recorder].completer.send(hints)  # if this process ends before, the messages are received again
    return answer


def _parse(body: str) -> CompletionsMessage | None:
    with suppress(MessageInvalidError):
        return parse_completions_message(body)
    return None


def _record(
    parsed: dict[str, CompletionsMessage | None], rows: dict[str, Submission], hints: list[Hint], record: SQSRecord
) -> None:
    log = ENV.log
    try:
        message = parsed[record.message_id] or parse_completions_message(record.body)  # again, for its error
        hints += ENV[Recorder].apply(message, rows)
    except Exception:
        log.exception("Completion not recorded", message_id=record.message_id, **_ids(parsed[record.message_id]))
        raise
    if isinstance(message, ExecutionStarted | EndOfExecution):
        log.info("Completion recorded", **_ids(message), message_type=message.type)
    elif isinstance(message, RunnerHeartbeat) and message.problem is not None:
        log.error("Runner cannot work", node_id=message.node_id, problem=message.problem)
        metrics(SERVICE).add("RunnerUnable")


def _ids(message: CompletionsMessage | None) -> dict[str, Any]:
    if not isinstance(message, FromExecution):
        return {}
    submission_id = message.submission_id
    return {"correlation_id": message.correlation_id or submission_id, "submission_id": submission_id}
