"""The events that this service sends, for the `webhooks` section."""

from typing import Any

from functions.http.openapi.operation import Responses, Webhook
from functions.webhooks.event_types import EVENT_DISABLED, EVENT_TEST
from functions.webhooks.openapi_bodies import EndpointDisabledEvent, WebhookTestEvent
from functions.webhooks.sending.headers import USER_AGENT

REPEATED = (
    "Signed as Standard Webhooks have it. Answer within 15 s. Repeated until a 2xx, by default ten attempts in 75 "
    "hours; the same event always has the same webhook-id and the same bytes. The event bus gets this body, "
    "with `project_id` added."
)
_RETRY_AFTER = {"schema": {"type": "string"}, "description": "Seconds or an HTTP date; at most 24 h count."}
_LATER = {
    "description": "Tried again on schedule, but not before Retry-After.",
    "headers": {"retry-after": _RETRY_AFTER},
}
RESPONSES: Responses = {
    "2XX": {"description": "Delivered. The body is kept up to 1,024 bytes, for the attempt's log."},
    "408": _LATER,
    "410": {"description": "The endpoint is disabled, and what it is owed pauses. A run's own URL gets no more."},
    "425": _LATER,
    "429": _LATER,
    "5XX": _LATER,
    "default": {"description": "Tried again on schedule. Redirects are not followed. 1xx but 101 is skipped."},
}
_TEST_RESPONSES: Responses = {
    "2XX": {"description": "Delivered."},
    "default": {"description": "Shown to who asked for the test; not tried again."},
}

WEBHOOKS = {
    EVENT_DISABLED: Webhook(
        "endpointDisabled",
        "Another endpoint of the project was switched off",
        REPEATED,
        EndpointDisabledEvent,
        RESPONSES,
    ),
    EVENT_TEST: Webhook(
        "webhookTest",
        "A test that somebody asked for",
        "Signed like any other, sent once.",
        WebhookTestEvent,
        _TEST_RESPONSES,
    ),
}


def _header(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "schema": {"type": "string", **schema},
        "description": description,
    }


HEADERS = [
    _header(
        "webhook-id",
        {"format": "uuid"},
        "The event's id, the same in every attempt and replay: drop duplicates by it. Of submission.completed: the "
        "submission's own id.",
    ),
    _header("webhook-timestamp", {"pattern": "^[0-9]+$"}, "Unix seconds of this attempt. Refuse what is not recent."),
    _header(
        "webhook-signature",
        {"pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)?$"},
        "v1,<base64 of HMAC-SHA256 over id.timestamp.body>. Two, with a space between, while a rotation overlap lasts: "
        "one that is right is enough.",
    ),
    _header("user-agent", {"const": USER_AGENT}, "Always this."),
]
"""Beside them come content-type, content-length and the endpoint's custom headers."""
