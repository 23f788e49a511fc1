"""Events as incidents of PagerDuty, checked against its published schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from functions.event_log.model import event_bytes
from functions.handlers.chat_cards import CARDS
from functions.webhooks.cards import Card, Incident, Level, bounded, pagerduty_body
from functions.webhooks.endpoints.model import BodyFormat
from functions.webhooks.vocabulary import INCIDENT_EVENTS
from tests.chat_shapes import problems

KEY = "e93facc04764012d7bfb002500d5d1a6"
GOLDEN = {
    path.name: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "events" / "webhook").glob("*.json"))
    if not path.name.endswith(".schema.json")
}
CHANGED = next(event for event in GOLDEN.values() if event["type"] == "check.state.changed")


def sent(event: dict[str, Any]) -> dict[str, Any]:
    body = CARDS.body(BodyFormat.PAGERDUTY, event_bytes(event), {"routing_key": KEY})
    assert problems("pagerduty", body) == []
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize("name", GOLDEN)
def test_every_event_has_the_published_shape_and_only_incidents_call_anybody(name: str) -> None:
    message = sent(GOLDEN[name])
    assert message["routing_key"] == KEY
    if GOLDEN[name]["type"] not in INCIDENT_EVENTS:
        assert (message["event_action"], message["dedup_key"]) == ("resolve", "rustbox-test")
    else:
        assert message["dedup_key"] != "rustbox-test"


@pytest.mark.parametrize(
    ("state", "action", "severity"),
    [
        ("failing", "trigger", "critical"),
        ("late", "trigger", "warning"),
        ("error", "trigger", "warning"),
        ("up", "resolve", None),
        ("flaky", "resolve", None),
    ],
)
def test_a_check_that_is_down_opens_an_incident_and_its_recovery_resolves_the_same(
    state: str, action: str, severity: str | None
) -> None:
    message = sent({**CHANGED, "state": state})
    assert (message["event_action"], message["dedup_key"]) == (action, CHANGED["check_id"])
    assert message.get("payload", {}).get("severity") == severity


def test_an_incident_says_what_failed_and_what_to_do() -> None:
    payload = sent({**CHANGED, "state": "failing"})["payload"]
    assert payload["summary"].endswith(f"{CHANGED['check_name']} is failing")
    assert payload["source"] == CHANGED["check_slug"]
    assert payload["custom_details"]["next"] == CHANGED["next"]
    assert payload["custom_details"]["Run"] == CHANGED["run_id"]


def test_an_endpoint_that_degrades_opens_an_incident_and_its_recovery_resolves_it() -> None:
    by_type = {event["type"]: event for event in GOLDEN.values()}
    degraded, recovered = by_type["endpoint.degraded"], by_type["endpoint.recovered"]
    opened, closed = sent(degraded), sent({**recovered, "endpoint_id": degraded["endpoint_id"]})
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"] == degraded["endpoint_id"]


@pytest.mark.parametrize("text", ["x" * 9_000, "\x00\ud800" * 3_000, '"\\' * 9_000, "", "\U0001f4a5" * 5_000])
def test_a_hostile_text_stays_within_the_limits(text: str) -> None:
    facts = tuple((text, text) for _ in range(20))
    card = Card(text, Level.BAD, text, facts, ((text, text),) * 9, "https://x.example/", Incident("key", "slug"))
    assert problems("pagerduty", event_bytes({"routing_key": KEY, **pagerduty_body(bounded(card))})) == []
