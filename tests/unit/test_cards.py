import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.event_log.model import event_bytes
from functions.handlers.chat_cards import CARDS
from functions.webhooks.cards import Card, Cards, Level, bounded, discord_body, slack_body, teams_body
from functions.webhooks.endpoints.model import BodyFormat
from functions.webhooks.vocabulary import EVENT_TEST, FILTERABLE_EVENTS
from tests.chat_shapes import problems, texts

GOLDEN = {
    path.name: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "events" / "webhook").glob("*.json"))
    if not path.name.endswith(".schema.json")
}
CHATS = [BodyFormat.SLACK, BodyFormat.DISCORD, BodyFormat.TEAMS]
MAKERS = {BodyFormat.SLACK: slack_body, BodyFormat.DISCORD: discord_body, BodyFormat.TEAMS: teams_body}
FORGED = (
    "@everyone <!channel> <@U1> <@&2> [click](https://evil.example) **b** *b* ``` `x` <at>all</at> # h"
    "\n\u202eabc\x1b[31m"
)


def body(event: dict[str, Any], body_format: BodyFormat) -> bytes:
    return CARDS.body(body_format, event_bytes(event))


def outside_code(message: dict[str, Any]) -> str:
    """Return the texts of a Discord message in which it looks for markup."""
    shown = "\n".join(text for text in texts(message))
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```\n[^`]*```", "", shown))


def test_every_event_type_has_a_golden_message() -> None:
    assert {event["type"] for event in GOLDEN.values()} == {*FILTERABLE_EVENTS, EVENT_TEST}


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("body_format", CHATS)
def test_the_card_of_every_event_has_the_published_shape(name: str, body_format: BodyFormat) -> None:
    assert problems(body_format.value, body(GOLDEN[name], body_format)) == []


@pytest.mark.parametrize("name", GOLDEN)
def test_every_event_type_has_a_card_of_its_own(name: str) -> None:
    shown = texts(json.loads(body(GOLDEN[name], BodyFormat.TEAMS)))
    assert GOLDEN[name]["type"] not in shown  # the title of an event that no maker knows


@pytest.mark.parametrize("name", GOLDEN)
def test_the_format_event_is_the_event_byte_by_byte(name: str) -> None:
    event = event_bytes(GOLDEN[name])
    assert CARDS.body(BodyFormat.EVENT, event) is event


@pytest.mark.parametrize("body_format", CHATS)
def test_a_card_is_the_same_at_every_attempt(body_format: BodyFormat) -> None:
    event = GOLDEN["v1.completed.json"]
    assert body(event, body_format) == body(event, body_format)


def test_a_run_card_describes_the_event() -> None:
    event = {**GOLDEN["v1.completed.json"], "verdict": "RE", "exit_code": 3}
    shown = texts(json.loads(body(event, BodyFormat.TEAMS)))
    assert {"❌ RE: python run", "Exit code: ", "3", "stdout", "42"} <= {*shown}


@pytest.mark.parametrize("body_format", CHATS)
def test_an_unknown_event_and_one_of_another_revision_have_a_card(body_format: BodyFormat) -> None:
    for event in ({"type": "later.event", "n": 1}, {"type": "endpoint.disabled"}, {"type": "submission.completed"}, {}):
        assert problems(body_format.value, Cards().body(body_format, event_bytes(event))) == []
        assert problems(body_format.value, body(event, body_format)) == []


def hostile(text: str) -> Card:
    facts = tuple((text, text) for _ in range(20))
    return Card(
        text, Level.BAD, text, facts, tuple((text, text) for _ in range(9)), "https://api.example.com/api/result/1"
    )


@pytest.mark.parametrize("body_format", CHATS)
@pytest.mark.parametrize(
    "text",
    [
        *(FORGED * 200, "", "\n" * 5_000, "`" * 5_000, "*" * 5_000),
        *("\U0001f4a5" * 5_000, "\x00\ud800" * 3_000, '"\\' * 9_000, "a\n" * 5_000),
    ],
)
def test_a_hostile_text_stays_within_the_limits(text: str, body_format: BodyFormat) -> None:
    assert problems(body_format.value, event_bytes(MAKERS[body_format](bounded(hostile(text))))) == []


@given(st.text(max_size=400))
def test_every_text_gives_a_valid_card(text: str) -> None:
    for body_format, maker in MAKERS.items():
        assert problems(body_format.value, event_bytes(maker(bounded(hostile(text))))) == []


def test_no_text_is_a_mention_or_a_link_in_slack() -> None:
    message = slack_body(bounded(hostile(FORGED)))
    # Only `text` is parsed: all others are plain text, or rich text whose elements are literal.
    assert not set("<>") & set(message["text"])
    kinds = re.findall(r'"type": "([a-z_]+)"', json.dumps(message["blocks"]))
    assert not {"mrkdwn", "user", "usergroup", "broadcast", "channel"} & {*kinds}
    assert json.dumps(message["blocks"]).count('"link"') == 1


def test_no_text_is_a_mention_or_markup_in_discord() -> None:
    message = discord_body(bounded(hostile(FORGED)))
    assert message["allowed_mentions"] == {"parse": []}
    parsed = outside_code(message)
    assert "@everyone" not in parsed
    assert not re.search(r"(?<!\\)[<\[]", parsed)
    captions = parsed.count("**\n")
    assert len(re.findall(r"(?<!\\)\*\*", parsed)) == 2 * captions  # only the captions are bold


def test_no_text_ends_its_code_in_discord() -> None:
    embed = discord_body(bounded(hostile("a```\n@everyone\n`b`")))["embeds"][0]
    assert embed["description"].count("```") == 2 * 3
    assert all(field["value"].count("`") == 2 for field in embed["fields"])


def test_no_text_is_markdown_in_teams() -> None:
    message = teams_body(bounded(hostile(FORGED)))
    kinds = set(re.findall(r'"type": "([A-Za-z.]+)"', json.dumps(message)))
    assert kinds == {"message", "AdaptiveCard", "RichTextBlock", "TextRun", "Container", "Action.OpenUrl"}
    assert "entities" not in json.dumps(message)


@pytest.mark.parametrize("body_format", CHATS)
def test_no_control_or_reversing_character_is_sent(body_format: BodyFormat) -> None:
    sent = "".join(texts(MAKERS[body_format](bounded(hostile(FORGED)))))
    assert not set("\u202e\x1b\x00") & set(sent)
