"""The body that an endpoint gets: the event itself, or a card in the format of a service."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from functions.event_log.cut_body import event_bytes
from functions.webhooks.cards.alert_cards import ALERT_CARDS
from functions.webhooks.cards.card import Card, Level, bounded
from functions.webhooks.cards.discord import discord_body
from functions.webhooks.cards.pagerduty import pagerduty_body
from functions.webhooks.cards.slack import slack_body
from functions.webhooks.cards.teams import teams_body
from functions.webhooks.endpoints.model import BodyFormat
from functions.webhooks.vocabulary.event_types import EVENT_TEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.webhooks.cards.card import CardMaker

_BODIES: Final[Mapping[BodyFormat, Callable[[Card], dict[str, Any]]]] = {
    BodyFormat.SLACK: slack_body,
    BodyFormat.DISCORD: discord_body,
    BodyFormat.TEAMS: teams_body,
    BodyFormat.PAGERDUTY: pagerduty_body,
}


@dataclass(frozen=True, slots=True)
class Cards:
    """Makes bodies. `makers`: cards of the events that higher slices own, by event type.

    `callback_maker`: makes the body for the own URL of a run that came in another protocol.
    """

    makers: Mapping[str, CardMaker] = field(default_factory=dict)
    callback_maker: Callable[[Mapping[str, Any]], dict[str, Any]] = dict

    def callback(self, event: bytes) -> bytes:
        """Return the body for the own URL of a run without a secret."""
        return event_bytes(self.callback_maker(json.loads(event)))

    def body(self, body_format: BodyFormat, event: bytes, more: Mapping[str, str] | None = None) -> bytes:
        """Return the body for a format: always the same for the same event. `more`: members for a card."""
        if body_format.has_event:
            return event
        values = json.loads(event)
        make = {**_OWN_MAKERS, **self.makers}.get(values.get("type"), _any_card)
        try:
            card = make(values)
        except (KeyError, TypeError, ValueError, AttributeError):  # an event of another revision
            card = _any_card(values)
        return event_bytes({**(more or {}), **_BODIES[body_format](bounded(card))})


def _test_card(event: Mapping[str, Any]) -> Card:
    return Card("Rustbox test message", Level.NEUTRAL, event["message"], (("Endpoint", event["endpoint_id"]),))


def _any_card(event: Mapping[str, Any]) -> Card:
    """Return the card of an event without a maker of its own."""
    facts = [(name, str(value)) for name, value in event.items() if isinstance(value, str | int | float)]
    return Card(str(event.get("type", "event")), Level.NEUTRAL, "", tuple(fact for fact in facts if fact[0] != "type"))


_OWN_MAKERS: Final[Mapping[str, CardMaker]] = {**ALERT_CARDS, EVENT_TEST: _test_card}
