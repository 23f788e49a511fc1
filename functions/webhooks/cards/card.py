"""A message for people, before it takes the shape of one chat service.

Every text may come from a program. So the formats show texts literally, and nothing in them is a mention or a link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

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
    """A title, a sentence, named values, and program outputs with their captions. `link`: a URL of our own API.

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
