"""The event `webhook.test` and the response of a test send."""

import json
from collections.abc import Mapping

from functions.clock import to_rfc3339
from functions.http.json_body import Body
from functions.webhooks.deliveries.views import reply_body
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.event_types import EVENT_TEST
from functions.webhooks.sending.reply import Reply

_OK = range(200, 300)


def event_body(endpoint: Endpoint, now_ms: int) -> bytes:
    """Return the bytes of a `webhook.test`."""
    event = {
        "type": EVENT_TEST,
        "timestamp": to_rfc3339(now_ms),
        "endpoint_id": endpoint.endpoint_id,
        "message": "A test. Nothing ran, and nothing needs to be done.",
    }
    return json.dumps(event, separators=(",", ":")).encode()


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
