"""Badges: the state of a check as a picture, as JSON, and as an endpoint of shields.io."""

from collections.abc import Mapping
from html import escape
from typing import Final, Literal, TypedDict

from functions.checks.state import State

CACHE_SECS = 60
MAX_LABEL_CHARS = 40

_COLOURS: Final[Mapping[State, tuple[str, str]]] = {
    # State: colour of the picture, name of the colour at shields.io. White text on each has a contrast of 4.5 or more.
    State.NEW: ("#5f6368", "lightgrey"),
    State.UP: ("#2e7d32", "brightgreen"),
    State.FAILING: ("#c62828", "red"),
    State.LATE: ("#b04a00", "orange"),
    State.FLAKY: ("#85620a", "yellow"),
    State.ERROR: ("#6a3d9a", "blueviolet"),
    State.PAUSED: ("#5f6368", "lightgrey"),
}
_LABEL_COLOUR = "#444444"
_NARROW = frozenset("fijlrtI1 .,:;|!'()[]")
_WIDE = frozenset("mwMWQOGD@%")
_NARROW_PX, _NORMAL_PX, _WIDE_PX, _FULL_PX = 4.5, 7.2, 10.5, 12
_LAST_LATIN = "\u024f"
_PADDING_PX = 6
_HEIGHT_PX = 20


class BadgeView(TypedDict):
    """The state of a check."""

    name: str
    state: State
    color: str


class ShieldsBadge(TypedDict):
    """https://shields.io/badges/endpoint-badge."""

    schemaVersion: Literal[1]
    label: str
    message: State
    color: str
    isError: bool
    cacheSeconds: int


def badge_body(name: str, state: State) -> BadgeView:
    """Return the badge as JSON."""
    return {"name": name, "state": state, "color": _COLOURS[state][0]}


def shields(name: str, state: State) -> ShieldsBadge:
    """Return the badge in the schema of https://shields.io/badges/endpoint-badge."""
    return {
        "schemaVersion": 1,
        "label": _label(name),
        "message": state,
        "color": _COLOURS[state][1],
        "isError": state in {State.FAILING, State.ERROR},
        "cacheSeconds": CACHE_SECS,
    }


def svg(name: str, state: State) -> str:
    """Return the badge as a picture of 20 pixels height. It loads nothing and runs no script."""
    label, message = _label(name), state.value
    left, right = _width(label), _width(message)
    title = escape(f"{label}: {message}")
    text = '<text x="{x}" y="14" textLength="{length}" lengthAdjust="spacingAndGlyphs">{text}</text>'
    # Three rectangles, not a clip path: a clip path has an id, and ids of pictures in one page collide.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT_PX}" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<rect width="{left + right}" height="{_HEIGHT_PX}" rx="3" fill="{_COLOURS[state][0]}"/>'
        f'<rect width="{left}" height="{_HEIGHT_PX}" rx="3" fill="{_LABEL_COLOUR}"/>'
        f'<rect x="{left - 3}" width="3" height="{_HEIGHT_PX}" fill="{_LABEL_COLOUR}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        + text.format(x=left / 2, length=left - 2 * _PADDING_PX, text=escape(label))
        + text.format(x=left + right / 2, length=right - 2 * _PADDING_PX, text=message)
        + "</g></svg>"
    )


def _label(name: str) -> str:
    """Return the name without control characters, which XML refuses, and cut."""
    shown = "".join(character if character.isprintable() else " " for character in name).strip() or "check"
    return shown if len(shown) <= MAX_LABEL_CHARS else f"{shown[: MAX_LABEL_CHARS - 1]}…"


def _width(text: str) -> int:
    """Return the width of a text with its padding, estimated: the picture cannot measure a font."""
    return round(sum(map(_character_px, text))) + 2 * _PADDING_PX


def _character_px(character: str) -> float:
    if character in _NARROW:
        return _NARROW_PX
    if character in _WIDE:
        return _WIDE_PX
    return _NORMAL_PX if character <= _LAST_LATIN or character == "…" else _FULL_PX
