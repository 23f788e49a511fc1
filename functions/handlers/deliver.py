"""Lambda entry point of the deliveries queue: attempt the delivery of each hint, then others of the same lane."""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import otlp
from functions.env import Env
from functions.handlers.batches import handle_batch
from functions.handlers.chat_cards import chat_cards
from functions.settings import refuse_insecure_stage
from functions.submissions.results.overview import RunCounts
from functions.submissions.transforms import QueuedTransforms
from functions.telemetry import Metric, logger, metrics
from functions.webhooks.cards import cards
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.publication import Hint
from functions.webhooks.sending.attempts import keep_attempt
from functions.webhooks.sending.claim import SEND_MS
from functions.webhooks.sending.deliverer import Attempted, Deliverer
from functions.webhooks.sending.transforms import transform_runs

SERVICE = "webhook"

refuse_insecure_stage()

SETTINGS = (
    *("smtp_url_parameter", "email_from", "email_domains"),
    *("stage", "deliveries_table", "deliveries_queue_url", "endpoint_secrets_key_id", "public_base_url"),
    *("allow_insecure_webhook_targets", "webhook_retry_secs", "webhook_senders", "webhook_senders_of_process"),
    *("event_bus_name", "projects_table", "submissions_table", "quotas_table", "pending_redrive_secs"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url"),
    *("runner_url", "runner_token_parameter", "runner_ca_parameter", "allow_runner_http"),
)
ENV = Env(SERVICE, SETTINGS)
ENV.provide(cards, chat_cards)
ENV.provide(transform_runs, QueuedTransforms)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Attempt the deliveries of the hints. A failed hint is received again, and its row stays due."""
    until_ms = ENV.clock() + context.get_remaining_time_in_millis() - SEND_MS
    failures = handle_batch(event, partial(_deliver, until_ms=until_ms))
    ENV[RunCounts].write_due()
    return failures


def _deliver(record: SQSRecord, until_ms: int) -> None:
    ids: dict[str, Any] = {}
    try:
        hint = Hint.parse(record.body)
        ids = hint.log_ids
        if _is_repeated(record):
            hint = hint.without_new
        for attempted in ENV[Deliverer].deliver(hint, until_ms):
            _report(attempted)
    except Exception:
        phrase = "Delivery not attempted because of an internal error"
        logger(SERVICE).exception(phrase, message_id=record.message_id, **ids)
        raise


def _is_repeated(record: SQSRecord) -> bool:
    """Whether the message was received before: then its delivery may have been sent."""
    return int(record.raw_event.get("attributes", {}).get("ApproximateReceiveCount", 1)) > 1


def _report(attempted: Attempted) -> None:
    delivery, reply = attempted.delivery, attempted.reply
    if otlp.is_on():
        keep_attempt(delivery, reply, SERVICE, ENV.clock())
    if attempted.recorded and not reply.is_success:
        ENV[RunCounts].count(delivery.project_id, {"failed_attempts": 1})
    outcome = attempted.transition.state.value if attempted.recorded else "lease_lost"
    values = [Metric("DeliveryAttempted", dimensions={"outcome": outcome})]
    if outcome == DeliveryState.EXHAUSTED:
        values.append(Metric("DeliveryExhausted"))
    logger(SERVICE).info(
        "Delivery attempted",
        **metrics(SERVICE).fields(*values),
        **delivery.log_ids,
        delivery_id=f"{delivery.event_id}#{delivery.endpoint_id}",
        attempt=delivery.attempt + 1,
        status_code=reply.status_code,
        error_code=reply.error_code,
        latency_ms=reply.latency_ms,
        host=reply.host,  # never the URL: its path or query may hold a credential
    )
