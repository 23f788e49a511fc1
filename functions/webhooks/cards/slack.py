"""Cards for incoming webhooks of Slack: https://docs.slack.dev/reference/block-kit/blocks/."""

from typing import Any

from functions.webhooks.cards.card import Card


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
    return {"text": _escaped(card.title), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(elements)}


def _escaped(text: str) -> str:
    """Escape the three characters that start mentions, links and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
