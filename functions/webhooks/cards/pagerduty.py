"""Cards as events of PagerDuty: https://developer.pagerduty.com/docs/events-api-v2-overview.

An incident has one `dedup_key` from its `trigger` to its `resolve`. The sender adds the routing key.
"""

from typing import Any, Final

from functions.webhooks.cards.card import Card, Incident, Level

_SEVERITIES: Final = {Level.BAD: "critical", Level.WARNING: "warning", Level.GOOD: "info", Level.NEUTRAL: "info"}
_NO_INCIDENT: Final = Incident("rustbox-test", is_over=True)
"""Of a test, and of an event that has no incident: PagerDuty checks the routing key, and ignores the rest."""


def pagerduty_body(card: Card) -> dict[str, Any]:
    """Return the event."""
    incident = card.incident or _NO_INCIDENT
    if incident.is_over:
        return {"event_action": "resolve", "dedup_key": incident.key}
    payload = {
        "summary": card.title,
        "severity": _SEVERITIES[card.level],
        "source": incident.source,
        "custom_details": {
            **({"next": card.summary} if card.summary else {}),
            **dict(card.facts),
            **dict(card.outputs),
        },
    }
    links = [] if card.link is None else [{"href": card.link, "text": "Open in the API"}]
    return {
        "event_action": "trigger",
        "dedup_key": incident.key,
        "client": "Rustbox",
        "payload": payload,
        "links": links,
    }
