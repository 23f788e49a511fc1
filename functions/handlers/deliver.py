"""Lambda entry point of the deliveries queue: attempt the delivery of each hint, then others of the same lane."""

from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.handlers.batches import handle_batch
from functions.handlers.webhook_wiring import deliverer
from functions.settings import WebhookSettings, load, refuse_insecure_stage
from functions.telemetry import logger, metrics
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.sending.attempt.deliverer import Attempted, Deliverer
from functions.webhooks.sending.claim.claimer import SEND_MS

SERVICE = "webhook"

refuse_insecure_stage()


@cache
def wired() -> Deliverer:
    """Return the wired parts, created on the first call."""
    return deliverer(load(WebhookSettings))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Attempt the deliveries of the hints. A failed hint is received again, and its row stays due."""
    until_ms = wired().clock() + context.get_remaining_time_in_millis() - SEND_MS
    deliver = partial(_deliver, until_ms=until_ms)
    return handle_batch(event, context, deliver)


def _deliver(record: SQSRecord, until_ms: int) -> None:
    ids: dict[str, Any] = {}
    try:
        hint = Hint.parse(record.body)
        ids = hint.log_ids
        for attempted in wired().deliver(hint, until_ms):
            _report(attempted)
    except Exception:
        phrase = "Delivery not attempted because of an internal error"
        logger(SERVICE).exception(phrase, message_id=record.message_id, **ids)
        raise


def _report(attempted: Attempted) -> None:
    delivery, reply = attempted.delivery, attempted.reply
    outcome = attempted.transition.state.value if attempted.recorded else "lease_lost"
    logger(SERVICE).info(
        "Delivery attempted",
        **delivery.log_ids,
        delivery_id=f"{delivery.event_id}#{delivery.endpoint_id}",
        attempt=delivery.attempt + 1,
        outcome=outcome,
        status_code=reply.status_code,
        error_code=reply.error_code,
        latency_ms=reply.latency_ms,
        host=reply.host,  # never the URL: its path or query may hold a credential
    )
    metrics(SERVICE).add("DeliveryAttempted", outcome=outcome)
    if outcome == DeliveryState.EXHAUSTED:
        metrics(SERVICE).add("DeliveryExhausted")
