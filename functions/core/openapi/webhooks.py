"""The events that this service sends, for the `webhooks` section."""

from dataclasses import dataclass

from pydantic import BaseModel

from functions.core.endpoint import EVENT_DISABLED, EVENT_TEST
from functions.core.openapi.bodies import CompletedEvent
from functions.core.openapi.webhook_bodies import EndpointDisabledEvent, WebhookTestEvent
from functions.core.submission import EVENT_COMPLETED


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event, as its receiver sees it."""

    operation_id: str
    summary: str
    description: str
    model: type[BaseModel]


_REPEATED = (
    "Signed as Standard Webhooks have it. Repeated until a 2xx, ten attempts in 75 hours; the same event always has "
    "the same webhook-id."
)

WEBHOOKS = {
    EVENT_COMPLETED: Webhook("submissionCompleted", "A submission is finished", _REPEATED, CompletedEvent),
    EVENT_DISABLED: Webhook(
        "endpointDisabled", "Another endpoint of the project was switched off", _REPEATED, EndpointDisabledEvent
    ),
    EVENT_TEST: Webhook(
        "webhookTest", "A test that somebody asked for", "Signed like any other, sent once.", WebhookTestEvent
    ),
}
