"""Cards for workflows of Microsoft Teams: a message with one Adaptive Card, https://adaptivecards.io/explorer/."""

from typing import Any, Final

from functions.webhooks.cards.card import NOTHING, Card, Level

_COLOURS: Final = {Level.GOOD: "Good", Level.WARNING: "Warning", Level.BAD: "Attention", Level.NEUTRAL: "Default"}


def teams_body(card: Card) -> dict[str, Any]:
    """Return the message. It has only text runs, in which Teams looks for no Markdown, and no entities for mentions."""
    body = [_line(_run(card.title, weight="Bolder", size="Medium", color=_COLOURS[card.level]))]
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
