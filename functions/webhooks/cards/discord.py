"""Cards for webhooks of Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook."""

import re
from typing import Any, Final

from functions.webhooks.cards.card import NOTHING, Card, Level

_COLOURS: Final = {Level.GOOD: 0x2E7D32, Level.WARNING: 0xB04A00, Level.BAD: 0xC62828, Level.NEUTRAL: 0x5F6368}
_MARKUP = re.compile(r"([\\*_~`|>#\-\[\]()<:@!+.])")
_NO_WIDTH = "\u200b"


def discord_body(card: Card) -> dict[str, Any]:
    """Return the message. Values and outputs are code, in which Discord looks for no markup."""
    embed: dict[str, Any] = {
        "title": _escaped(card.title),
        "color": _COLOURS[card.level],
        "fields": [{"name": _escaped(name), "value": _code(value), "inline": True} for name, value in card.facts],
    }
    outputs = [f"**{_escaped(caption)}**\n```\n{_in_fence(text)}\n```" for caption, text in card.outputs]
    description = "\n".join([*([_escaped(card.summary)] if card.summary else []), *outputs])
    if description:
        embed["description"] = description
    if card.link is not None:
        embed["url"] = card.link
    # Without this, Discord would notify everybody whom a text names.
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _escaped(text: str) -> str:
    """Escape markup. A character without width keeps an escaped @ from looking like a mention."""
    return _MARKUP.sub(r"\\\1", text).replace("@", f"@{_NO_WIDTH}")


def _code(text: str) -> str:
    return f"`{_in_fence(text) or NOTHING}`"


def _in_fence(text: str) -> str:
    """Replace the character that ends code by one that looks like it."""
    return text.replace("`", "\u02cb")
