"""The published shapes of messages for people, as far as our cards use them, with the published limits.

Slack: https://docs.slack.dev/reference/block-kit/blocks/ and https://docs.slack.dev/messaging/formatting-message-text/.
Discord: https://discord.com/developers/docs/resources/message#embed-object-embed-limits.
Teams: https://adaptivecards.io/schemas/adaptive-card.json (1.4), and 28 KB a message:
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook.
PagerDuty: `createV2Event` in reference/events-v2/openapiv3.json of https://github.com/PagerDuty/api-schema, and
https://developer.pagerduty.com/docs/events-api-v2-overview: a routing key has 32 characters, a `dedup_key` at most
255, a summary at most 1,024, an event at most 512 KB; an event other than `trigger` needs a `dedup_key`.
"""

import json
from typing import Any, Final

from jsonschema import Draft202012Validator


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _list(items: dict[str, Any], most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


_URL: Final = {"type": "string", "pattern": "^https?://", "maxLength": 3_000}


def _plain(most: int) -> dict[str, Any]:
    return _object({"type": {"const": "plain_text"}, "text": _text(most)}, emoji={"const": False})


_BOLD = _object({"bold": {"type": "boolean"}})
_RICH_TEXT = _object({"type": {"const": "text"}, "text": _text(3_000)}, style=_BOLD)
_RICH_LINK = _object({"type": {"const": "link"}, "url": _URL}, text=_text(3_000))
_RICH_PARTS = [
    _object({"type": {"const": "rich_text_section"}, "elements": _list({"oneOf": [_RICH_TEXT, _RICH_LINK]}, 100)}),
    _object({"type": {"const": "rich_text_preformatted"}, "elements": _list(_RICH_TEXT, 100)}),
]
_SLACK_BLOCKS = [
    _object({"type": {"const": "header"}, "text": _plain(150)}),
    _object({"type": {"const": "section"}, "text": _plain(3_000)}),
    _object({"type": {"const": "section"}, "fields": _list(_plain(2_000), 10)}),
    _object({"type": {"const": "rich_text"}, "elements": _list({"oneOf": _RICH_PARTS}, 100)}),
]
SLACK: Final = _object(
    {"text": {**_text(4_000), "pattern": "^[^<>]*$"}, "blocks": _list({"oneOf": _SLACK_BLOCKS}, 50)},
    unfurl_links={"const": False},
    unfurl_media={"const": False},
)
_EMBED = _object(
    {"title": _text(256), "color": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFF}},
    description=_text(4_096),
    url=_URL,
    fields=_list(_object({"name": _text(256), "value": _text(1_024)}, inline={"type": "boolean"}), 25, 0),
)
DISCORD: Final = _object({"embeds": _list(_EMBED, 10), "allowed_mentions": _object({"parse": {"const": []}})})
_RUN = _object(
    {"type": {"const": "TextRun"}, "text": _text(30_000)},
    weight={"enum": ["Lighter", "Default", "Bolder"]},
    size={"enum": ["Small", "Default", "Medium", "Large", "ExtraLarge"]},
    color={"enum": ["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"]},
    fontType={"enum": ["Default", "Monospace"]},
)
_RICH = _object({"type": {"const": "RichTextBlock"}, "inlines": _list(_RUN, 100)}, spacing={"enum": ["None"]})
_CONTAINER = _object({"type": {"const": "Container"}, "items": _list(_RICH, 100)}, style={"enum": ["emphasis"]})
_OPEN = _object({"type": {"const": "Action.OpenUrl"}, "url": _URL}, title=_text(200))
_ADAPTIVE = _object(
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "type": {"const": "AdaptiveCard"},
        "version": {"const": "1.4"},
        "body": _list({"oneOf": [_RICH, _CONTAINER]}, 200),
    },
    msteams=_object({"width": {"const": "Full"}}),  # without `entities`, no text becomes a mention
    actions=_list(_OPEN, 6),
)
_ATTACHMENT = _object(
    {
        "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
        "contentUrl": {"type": "null"},
        "content": _ADAPTIVE,
    }
)
TEAMS: Final = _object({"type": {"const": "message"}, "attachments": _list(_ATTACHMENT, 1)})
_PAYLOAD = _object(
    {"summary": _text(1_024), "severity": {"enum": ["critical", "warning", "error", "info"]}, "source": _text(1_024)},
    custom_details={"type": "object", "additionalProperties": {"type": "string"}},
)
_KEYS: Final[dict[str, Any]] = {
    "routing_key": {"type": "string", "pattern": "^[A-Za-z0-9]{32}$"},
    "dedup_key": _text(255),
}
PAGERDUTY: Final = {
    "oneOf": [
        _object(
            {**_KEYS, "event_action": {"const": "trigger"}, "payload": _PAYLOAD},
            client=_text(255),
            links=_list(_object({"href": _URL}, text=_text(255)), 20, 0),
        ),
        _object({**_KEYS, "event_action": {"enum": ["acknowledge", "resolve"]}}),
    ]
}
# https://docs.github.com/en/rest/commits/statuses#create-a-commit-status; a description has at most 140 characters.
GITHUB_STATUS: Final = _object(
    {"state": {"enum": ["error", "failure", "pending", "success"]}},
    target_url=_URL,
    description=_text(140),
    context=_text(255),
)
SHAPES: Final = {
    "github_status": GITHUB_STATUS,
    "slack": SLACK,
    "discord": DISCORD,
    "teams": TEAMS,
    "pagerduty": PAGERDUTY,
}


def problems(name: str, body: bytes) -> list[str]:
    """Return what is wrong with a message."""
    message = json.loads(body)
    errors = Draft202012Validator(SHAPES[name]).iter_errors(message)
    found = [f"{error.json_path}: {error.message[:200]}" for error in errors]
    if name == "discord":
        embed = message["embeds"][0]
        fields = [text for field in embed["fields"] for text in (field["name"], field["value"])]
        total = sum(map(len, [embed["title"], embed.get("description", ""), *fields]))
        found += [f"{total} characters of 6,000"] if total > 6_000 else []
    if name == "teams" and len(body) > 28_000:
        found.append(f"{len(body)} bytes of 28 KB")
    if name == "pagerduty" and len(body) > 512_000:
        found.append(f"{len(body)} bytes of 512 KB")
    return found


def texts(value: Any) -> list[str]:
    """Return all strings of a message."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []
