"""Cards of alerts: endpoints and deliveries that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.webhooks.cards.card import Card, Incident, Level
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.vocabulary.event_types import EVENT_DEGRADED, EVENT_DISABLED, EVENT_EXHAUSTED, EVENT_RECOVERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.cards.card import CardMaker


def _disabled_card(event: Mapping[str, Any]) -> Card:
    reasons = {"gone": "It answered 410 Gone.", "failing": "Every delivery of the last five days failed."}
    return Card(
        f"Webhook endpoint disabled: {event['host']}",
        Level.BAD,
        f"{reasons.get(event['reason'], '')} Its deliveries pause. Repair it, enable it, recover its deliveries.",
        (("Endpoint", event["endpoint_id"]),),
        incident=Incident(event["endpoint_id"], event["host"]),
    )


def _degraded_card(event: Mapping[str, Any]) -> Card:
    text = f"{_failed(event)} It still gets its deliveries. Look at its answers and repair it."
    facts = (("Endpoint", event["endpoint_id"]),)
    incident = Incident(event["endpoint_id"], event["host"])
    return Card(f"Webhook endpoint degraded: {event['host']}", Level.WARNING, text, facts, incident=incident)


def _recovered_card(event: Mapping[str, Any]) -> Card:
    text = f"{_failed(event)} Recover deliveries that were exhausted meanwhile."
    facts = (("Endpoint", event["endpoint_id"]), ("Degraded since", event["degraded_at"]))
    incident = Incident(event["endpoint_id"], is_over=True)
    return Card(f"Webhook endpoint works again: {event['host']}", Level.GOOD, text, facts, incident=incident)


def _exhausted_card(event: Mapping[str, Any]) -> Card:
    is_run = event["endpoint_id"] == RUN_ENDPOINT_ID
    return Card(
        f"Webhook deliveries failed for good: {event['deliveries']}",
        Level.BAD,
        "Their last attempt failed. Repair the receiver, then replay or recover them.",
        (("Target", "URLs of runs" if is_run else event["endpoint_id"]), ("Last delivery", event["last_delivery_id"])),
        # Not that of the endpoint: its recovery sends none of these deliveries.
        incident=Incident(f"exhausted:{event['endpoint_id']}", event["endpoint_id"]),
    )


def _failed(event: Mapping[str, Any]) -> str:
    return f"{event['failures']} of {event['attempts']} attempts of the last {event['window']} failed."


ALERT_CARDS: Final[Mapping[str, CardMaker]] = {
    EVENT_DISABLED: _disabled_card,
    EVENT_DEGRADED: _degraded_card,
    EVENT_RECOVERED: _recovered_card,
    EVENT_EXHAUSTED: _exhausted_card,
}
