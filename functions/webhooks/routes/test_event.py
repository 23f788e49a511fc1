"""The event `webhook.test`."""

from functions.clock import to_rfc3339
from functions.event_log.cut_body import event_bytes
from functions.event_log.model import Event
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.vocabulary import EVENT_TEST


def webhook_test(endpoint: Endpoint, event_id: str, now_ms: int) -> Event:
    """Return a `webhook.test`."""
    body = {
        "type": EVENT_TEST,
        "timestamp": to_rfc3339(now_ms),
        "endpoint_id": endpoint.endpoint_id,
        "message": "A test. Nothing ran, and nothing needs to be done.",
    }
    return Event(event_id, EVENT_TEST, endpoint.project_id, event_bytes(body))
