"""The events of checks, for the OpenAPI document."""

from functions.checks.runs.event_bodies import CheckRunCompletedEvent, CheckRunMissedEvent, CheckStateChangedEvent
from functions.http.openapi.operation import Webhook
from functions.webhooks.routes.openapi import REPEATED, RESPONSES
from functions.webhooks.vocabulary import EVENT_CHECK_CHANGED, EVENT_CHECK_MISSED, EVENT_CHECK_RUN

CHECK_WEBHOOKS = {
    EVENT_CHECK_CHANGED: Webhook(
        "checkStateChanged", "A check has another state", REPEATED, CheckStateChangedEvent, RESPONSES
    ),
    EVENT_CHECK_RUN: Webhook(
        "checkRunCompleted", "A run of a check has ended", REPEATED, CheckRunCompletedEvent, RESPONSES
    ),
    EVENT_CHECK_MISSED: Webhook(
        "checkRunMissed", "A run of a check did not start", REPEATED, CheckRunMissedEvent, RESPONSES
    ),
}
