"""The event `webhook.test` and the response of a test send."""

from collections.abc import Mapping

from functions.clock import to_rfc3339
from functions.event_log.cut_body import event_bytes
from functions.event_log.model import Event
from functions.http.json_body import Body
from functions.webhooks.deliveries.views import reply_body
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.vocabulary.event_types import EVENT_TEST
from functions.webhooks.vocabulary.reply import Reply

_OK = range(200, 300)


def webhook_test(endpoint: Endpoint, event_id: str, now_ms: int) -> Event:
    """Return a `webhook.test`."""
    body = {
        "type": EVENT_TEST,
        "timestamp": to_rfc3339(now_ms),
        "endpoint_id": endpoint.endpoint_id,
        "message": "A test. Nothing ran, and nothing needs to be done.",
    }
    return Event(event_id, EVENT_TEST, endpoint.project_id, event_bytes(body))


def probe_body(endpoint: Endpoint, headers: Mapping[str, str], body: bytes, reply: Reply) -> Body:
    """Return the request, the signed content and the response of a test send, without the secret."""
    webhook_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    return {
        "endpoint_id": endpoint.endpoint_id,
        "delivered": reply.status_code in _OK,
        "request": {"method": "POST", "url": endpoint.url, "headers": dict(headers), "body": body.decode()},
        "signed_content": f"{webhook_id}.{timestamp}.{body.decode()}",
        "response": reply_body(reply),
    }
