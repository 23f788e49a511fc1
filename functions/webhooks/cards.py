"""Events as messages for people: cards in the formats of Slack, Discord and Teams, and incidents of PagerDuty.

Every text may come from a program. So the formats show texts literally, and nothing in them is a mention or a link.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from functions.env import Env
from functions.event_log.model import event_bytes
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.endpoints.model import BodyFormat
from functions.webhooks.vocabulary import (
    EVENT_BLOCKED,
    EVENT_CHANGED,
    EVENT_DEGRADED,
    EVENT_DISABLED,
    EVENT_EXHAUSTED,
    EVENT_RECOVERED,
    EVENT_TEST,
)

MAX_TITLE_CHARS = 120
MAX_SUMMARY_CHARS = 300
MAX_FACTS = 8
MAX_NAME_CHARS = 40
MAX_VALUE_CHARS = 150
MAX_OUTPUTS = 3
MAX_OUTPUT_CHARS = 1_000
MAX_OUTPUT_LINES = 20
"""With these limits a card stays below those of all services: Discord allows 6,000 characters, Teams 28 KB."""
NOTHING = "–"  # noqa: RUF001 - a dash for the reader; the services refuse empty texts


class Level(StrEnum):
    """How urgent a card is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    NEUTRAL = "neutral"


_MARKS: Final = {Level.GOOD: "✅", Level.WARNING: "⚠️", Level.BAD: "❌", Level.NEUTRAL: ""}


@dataclass(frozen=True, slots=True)
class Incident:
    """What an alarm opens and a recovery ends. `key`: the same for both. `source`: what fails."""

    key: str
    source: str = ""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A message for people, before it takes the shape of one service.

    A title, a sentence, named values, and program outputs with their captions. `link`: a URL of our own API.

    `incident`: of the events in `INCIDENT_EVENTS`.
    """

    title: str
    level: Level
    summary: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    link: str | None = None
    incident: Incident | None = None


type CardMaker = Callable[[Mapping[str, Any]], Card]
"""Makes the card of an event's body."""


def bounded(card: Card) -> Card:
    """Return the card with bounded, printable texts and without empty facts and outputs."""
    facts = [(name, one_line(value, MAX_VALUE_CHARS)) for name, value in card.facts if value.strip()]
    outputs = [(caption, _excerpt(text)) for caption, text in card.outputs if text.strip()]
    return Card(
        one_line(f"{_MARKS[card.level]} {card.title}", MAX_TITLE_CHARS) or NOTHING,
        card.level,
        one_line(card.summary, MAX_SUMMARY_CHARS),
        tuple((one_line(name, MAX_NAME_CHARS), value) for name, value in facts[:MAX_FACTS]),
        tuple((one_line(caption, MAX_NAME_CHARS), text) for caption, text in outputs[:MAX_OUTPUTS]),
        card.link,
        card.incident,
    )


def one_line(text: str, most: int) -> str:
    """Return a text on one line, cut to `most` characters."""
    line = " ".join(_printable(text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _excerpt(text: str) -> str:
    """Return the first lines of a text. The cut is marked."""
    kept = _printable(text[: 2 * MAX_OUTPUT_CHARS]).strip("\n").split("\n")
    shown = "\n".join(kept[:MAX_OUTPUT_LINES])
    if len(shown) > MAX_OUTPUT_CHARS:
        return f"{shown[: MAX_OUTPUT_CHARS - 1]}…"
    return f"{shown}…" if len(kept) > MAX_OUTPUT_LINES and len(shown) < MAX_OUTPUT_CHARS else shown


def _printable(text: str) -> str:
    """Replace control characters, and those that reverse the direction of a text."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text.replace("\r\n", "\n"))


# Cards for incoming webhooks of Slack: https://docs.slack.dev/reference/block-kit/blocks/.


def slack_body(card: Card) -> dict[str, Any]:
    """Return the message. Its blocks hold plain and rich text, in which Slack looks for no markup."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(card.title)}]
    if card.summary:
        blocks.append({"type": "section", "text": _plain(card.summary)})
    if card.facts:
        fields = [_plain(f"{name}\n{value}") for name, value in card.facts]
        blocks.append({"type": "section", "fields": fields})
    for caption, text in card.outputs:
        heading = {"type": "text", "text": caption, "style": {"bold": True}}
        program = {"type": "text", "text": text}
        blocks.append(
            _rich(
                {"type": "rich_text_section", "elements": [heading]},
                {"type": "rich_text_preformatted", "elements": [program]},
            )
        )
    if card.link is not None:
        link = {"type": "link", "url": card.link, "text": "Open in the API"}
        blocks.append(_rich({"type": "rich_text_section", "elements": [link]}))
    # Notifications show `text`, in which Slack does look for markup.
    return {"text": _slack_text(card.title), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(elements)}


def _slack_text(text: str) -> str:
    """Escape the three characters that start mentions, links and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# Cards for webhooks of Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook.

_DISCORD_COLOURS: Final = {Level.GOOD: 0x2E7D32, Level.WARNING: 0xB04A00, Level.BAD: 0xC62828, Level.NEUTRAL: 0x5F6368}
_MARKUP = re.compile(r"([\\*_~`|>#\-\[\]()<:@!+.])")
_NO_WIDTH = "\u200b"


def discord_body(card: Card) -> dict[str, Any]:
    """Return the message. Values and outputs are code, in which Discord looks for no markup."""
    embed: dict[str, Any] = {
        "title": _discord_text(card.title),
        "color": _DISCORD_COLOURS[card.level],
        "fields": [{"name": _discord_text(name), "value": _code(value), "inline": True} for name, value in card.facts],
    }
    outputs = [f"**{_discord_text(caption)}**\n```\n{_in_fence(text)}\n```" for caption, text in card.outputs]
    description = "\n".join([*([_discord_text(card.summary)] if card.summary else []), *outputs])
    if description:
        embed["description"] = description
    if card.link is not None:
        embed["url"] = card.link
    # Without this, Discord would notify everybody whom a text names.
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _discord_text(text: str) -> str:
    """Escape markup. A character without width keeps an escaped @ from looking like a mention."""
    return _MARKUP.sub(r"\\\1", text).replace("@", f"@{_NO_WIDTH}")


def _code(text: str) -> str:
    return f"`{_in_fence(text) or NOTHING}`"


def _in_fence(text: str) -> str:
    """Replace the character that ends code by one that looks like it."""
    return text.replace("`", "\u02cb")


# Cards for workflows of Microsoft Teams: a message with one Adaptive Card, https://adaptivecards.io/explorer/.

_TEAMS_COLOURS: Final = {Level.GOOD: "Good", Level.WARNING: "Warning", Level.BAD: "Attention", Level.NEUTRAL: "Default"}


def teams_body(card: Card) -> dict[str, Any]:
    """Return the message. It has only text runs, in which Teams looks for no Markdown, and no entities for mentions."""
    body = [_line(_run(card.title, weight="Bolder", size="Medium", color=_TEAMS_COLOURS[card.level]))]
    if card.summary:
        body.append(_line(_run(card.summary)))
    body += [_line(_run(f"{name}: ", weight="Bolder"), _run(value)) for name, value in card.facts]
    for caption, text in card.outputs:
        # A line of its own for each: not every client breaks lines inside a run.
        lines = [_line(_run(line or " ", fontType="Monospace"), spacing="None") for line in text.split("\n")]
        body += [_line(_run(caption, weight="Bolder")), {"type": "Container", "style": "emphasis", "items": lines}]
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if card.link is not None:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Open in the API", "url": card.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text or NOTHING, **style}


def _line(*runs: dict[str, Any], **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


# Cards as events of PagerDuty: https://developer.pagerduty.com/docs/events-api-v2-overview.
#
# An incident has one `dedup_key` from its `trigger` to its `resolve`. The sender adds the routing key.

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
    incident = Incident(event["endpoint_id"], event["host"], is_over=True)
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


def _blocked_card(event: Mapping[str, Any]) -> Card:
    is_run = event["endpoint_id"] == RUN_ENDPOINT_ID
    return Card(
        f"Webhook deliveries were blocked: {event['deliveries']}",
        Level.BAD,
        "Nothing was sent. Look at the last one, mend the transform or the endpoint, then replay or recover them.",
        (("Target", "URLs of runs" if is_run else event["endpoint_id"]), ("Last delivery", event["last_delivery_id"])),
    )


def _failed(event: Mapping[str, Any]) -> str:
    return f"{event['failures']} of {event['attempts']} attempts of the last {event['window']} failed."


ALERT_CARDS: Final[Mapping[str, CardMaker]] = {
    EVENT_DISABLED: _disabled_card,
    EVENT_DEGRADED: _degraded_card,
    EVENT_RECOVERED: _recovered_card,
    EVENT_EXHAUSTED: _exhausted_card,
    EVENT_BLOCKED: _blocked_card,
}


_BODIES: Final[Mapping[BodyFormat, Callable[[Card], dict[str, Any]]]] = {
    BodyFormat.SLACK: slack_body,
    BodyFormat.DISCORD: discord_body,
    BodyFormat.TEAMS: teams_body,
    BodyFormat.PAGERDUTY: pagerduty_body,
}


@dataclass(frozen=True, slots=True)
class Cards:
    """Makes the body that an endpoint gets: the event itself, or a card in the format of a service.

    `makers`: cards of the events that higher slices own, by event type.

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
        return event_bytes({**(more or {}), **_BODIES[body_format](self.card(event))})

    def card(self, event: bytes) -> Card:
        """Return the card of an event, bounded and printable."""
        values = json.loads(event)
        make = {**_OWN_MAKERS, **self.makers}.get(values.get("type"), _any_card)
        try:
            return bounded(make(values))
        except (KeyError, TypeError, ValueError, AttributeError):  # an event of another revision
            return bounded(_any_card(values))


def _test_card(event: Mapping[str, Any]) -> Card:
    return Card("Rustbox test message", Level.NEUTRAL, event["message"], (("Endpoint", event["endpoint_id"]),))


def _any_card(event: Mapping[str, Any]) -> Card:
    """Return the card of an event without a maker of its own."""
    facts = [(name, str(value)) for name, value in event.items() if isinstance(value, str | int | float)]
    return Card(str(event.get("type", "event")), Level.NEUTRAL, "", tuple(fact for fact in facts if fact[0] != "type"))


def _change_card(event: Mapping[str, Any]) -> Card:
    """Return the card of a change, without values."""
    fields = ", ".join(event["after"] or event["before"] or ())
    key = f"{event['key_prefix']} {event['key_name'] or ''}" if event["by"] == "key" else "the administrator"
    facts = (("Subject", event["subject"]), ("Fields", fields), ("By", key), ("From", event["address"]))
    return Card(f"Changed: {event['action']}", Level.NEUTRAL, "", facts)


_OWN_MAKERS: Final[Mapping[str, CardMaker]] = {**ALERT_CARDS, EVENT_TEST: _test_card, EVENT_CHANGED: _change_card}


def completed_card(event: Mapping[str, Any]) -> Card:
    """Return the card of a finished run."""
    verdict = event["verdict"]
    level = {"AC": Level.GOOD, "IE": Level.WARNING}.get(verdict, Level.BAD)
    return Card(
        f"{verdict}: {event['language']} run",
        level,
        event["error_message"] or "",
        (
            ("Cause", event["result"]["cause"]),
            ("Exit code", _shown(event["exit_code"])),
            ("Wall time", _shown(event["wall_time_secs"], " s")),
            *((f"Metadata {name}", value) for name, value in list(event["metadata"].items())[:4]),
            ("Submission", event["id"]),
        ),
        (("stdout", event["output"]["stdout"]), ("stderr", event["output"]["stderr"])),
        event.get("result_url"),
    )


def _shown(value: object, unit: str = "") -> str:
    return "" if value is None else f"{value}{unit}"


def judged_card(event: Mapping[str, Any]) -> Card:
    """Return the card of a finished judge run."""
    level = Level.GOOD if event["all_passed"] else Level.BAD
    compiled = event["compile"]
    return Card(
        f"{event['passed']} of {len(event['results'])} cases passed: {event['language']} judge run",
        Level.WARNING if event["status"] == "error" else level,
        event["error_message"] or "",
        (
            ("Score", f"{event['score']} of {event['max_score']}"),
            ("First failed case", "" if event["first_failed"] is None else str(event["first_failed"])),
            *((f"Metadata {name}", value) for name, value in list(event["metadata"].items())[:4]),
            ("Judge run", event["id"]),
        ),
        (("compiler", "" if compiled is None or compiled["verdict"] == "AC" else compiled["stderr"]),),
        event.get("result_url"),
    )


def cards(_env: Env) -> Cards:
    """Return the messages of the events of all parts. The entry point provides them."""
    raise LookupError
