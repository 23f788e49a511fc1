"""What everybody with its address sees of checks: the status page in HTML, and badges. Pure.

The page has no script, no request to another host, and every text of a client escaped. A badge is a picture, JSON, or
an endpoint of shields.io.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypedDict

from functions.checks.state import DOWN, UNKNOWN, Outage, State
from functions.clock import to_rfc3339

DAYS = 90
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCheck:
    """A check on the page. `observed`: starts and ends of its stretches with data, oldest first. `details`: lines.

    `outages`: of the last 90 days, newest first, with the one that lasts.
    """

    name: str
    state: State
    since_ms: int
    observed: tuple[tuple[int, int], ...]
    outages: tuple[Outage, ...] = ()
    details: tuple[str, ...] = ()

    def observed_ms(self, start_ms: int, end_ms: int) -> int:
        """Return how long there was data in a stretch of time."""
        return _overlap_ms(self.observed, start_ms, end_ms)

    def down_ms(self, start_ms: int, end_ms: int) -> int:
        """Return how long it was down in a stretch of time, as far as there was data."""
        outages = [(each.since_ms, each.until_ms) for each in self.outages]
        return sum(
            _overlap_ms(outages, max(since_ms, start_ms), min(until_ms, end_ms)) for since_ms, until_ms in self.observed
        )


def _overlap_ms(stretches: Iterable[tuple[int, int]], start_ms: int, end_ms: int) -> int:
    return sum(max(0, min(until_ms, end_ms) - max(since_ms, start_ms)) for since_ms, until_ms in stretches)


def days(now_ms: int) -> list[int]:
    """Return when each of the last 90 days began, in UTC, today last."""
    today = now_ms // DAY_MS * DAY_MS
    return [today - DAY_MS * back for back in reversed(range(DAYS))]


CACHE_SECS = 60
_MOST_INCIDENTS = 10
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
_BAR_PX, _GAP_PX, _BARS_HEIGHT_PX = 7, 2, 32
_WORDS = {
    State.NEW: "No data yet",
    State.UP: "Operational",
    State.FLAKY: "Operational, after a repeat",
    State.FAILING: "Down",
    State.LATE: "Late",
    State.ERROR: "Unknown",
    State.PAUSED: "Paused",
}
_STYLE = """\
:root { color-scheme: light dark; --paper: #fff; --ink: #1d1d1f; --quiet: #56565b; --line: #c9c9ce; --up: #1c6b39;
  --some: #8a5200; --down: #b3211f; }
@media (prefers-color-scheme: dark) { :root { --paper: #141416; --ink: #ececf0; --quiet: #a8a8b0; --line: #47474d;
  --up: #6fd393; --some: #f3bb57; --down: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; background: var(--paper);
  color: var(--ink); overflow-wrap: anywhere; }
section { border-top: 1px solid var(--line); padding: .6rem 0; }
h1 { line-height: 1.2; }
h2 { font-size: 1.05rem; margin: 0; }
h3 { font-size: .9rem; margin: .8rem 0 0; }
p, ul { margin: .3rem 0; }
ul { padding-left: 1.2rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
.up { color: var(--up); } .some { color: var(--some); } .down { color: var(--down); }
svg { display: block; width: 100%; height: 2rem; margin: .4rem 0; }
rect.up { fill: var(--up); } rect.some { fill: var(--some); } rect.down { fill: var(--down); }
rect.none { fill: var(--line); }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "cache-control": f"public, max-age={CACHE_SECS}",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


def render(title: str, checks: Sequence[ShownCheck], now_ms: int) -> str:
    """Return the page."""
    shown = escape(title)
    down = sum(check.state in DOWN for check in checks)
    if down:
        verdict = f'<p class="down"><strong>{down} of {len(checks)} checks are down.</strong></p>'
    elif all(check.state in UNKNOWN for check in checks):
        verdict = '<p class="quiet"><strong>There is no data now.</strong></p>'
    else:
        verdict = '<p class="up"><strong>No check is down.</strong></p>'
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{shown}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><header><h1><bdi>{shown}</bdi></h1>{verdict}</header><main>"
        + "".join(_section(check, now_ms) for check in checks)
        + f'</main><footer><p class="quiet">As of {_time(now_ms)}. Days are those of UTC.</p></footer></body></html>\n'
    )


def _section(check: ShownCheck, now_ms: int) -> str:
    kind = "down" if check.state in DOWN else "up" if check.state in {State.UP, State.FLAKY} else "quiet"
    since = f' <span class="quiet">since {_time(check.since_ms)}</span>' if check.since_ms else ""
    details = "".join(f"<li><bdi>{escape(line)}</bdi></li>" for line in check.details)
    return (
        f"<section><h2><bdi>{escape(check.name)}</bdi></h2>"
        f'<p><strong class="{kind}">{_WORDS[check.state]}</strong>{since}</p>'
        + (f"<ul>{details}</ul>" if details else "")
        + _bars(check, now_ms)
        + _incidents(check, now_ms)
        + "</section>"
    )


def _bars(check: ShownCheck, now_ms: int) -> str:
    """Return a bar for each day, and the share of the time with data in which the check was up."""
    starts = days(now_ms)
    rects = "".join(_bar(check, start, place, now_ms) for place, start in enumerate(starts))
    text = _share(check, starts[0], now_ms)
    width = len(starts) * _BAR_PX - _GAP_PX
    return (
        f'<svg viewBox="0 0 {width} {_BARS_HEIGHT_PX}" preserveAspectRatio="none" role="img" '
        f'aria-label="{text}">{rects}</svg><p class="quiet">{text}</p>'
    )


def _share(check: ShownCheck, start_ms: int, now_ms: int) -> str:
    observed_ms = check.observed_ms(start_ms, now_ms)
    if observed_ms == 0:
        return "No data"
    first_ms = max(start_ms, check.observed[0][0])
    hundredths = (observed_ms - check.down_ms(start_ms, now_ms)) * 10_000 // observed_ms  # 100.00 only without outage
    span = "of the last 90 days" if first_ms == start_ms else f"since {_minute(first_ms)}"
    missing_ms = now_ms - first_ms - observed_ms
    missing = f", without data for {_duration(missing_ms)}" if missing_ms else ""
    return f"Up {hundredths / 100:.2f} % {span}{missing}"


def _bar(check: ShownCheck, start_ms: int, place: int, now_ms: int) -> str:
    end_ms = min(start_ms + DAY_MS, now_ms)
    observed, down = check.observed_ms(start_ms, end_ms), check.down_ms(start_ms, end_ms)
    if observed == 0:
        kind, text = "none", "no data"
    elif down == 0:
        kind, text = "up", "up"
    else:
        kind, text = ("down" if down * 2 >= observed else "some"), f"down for {_duration(down)}"
    if 0 < observed < end_ms - start_ms:
        text += f", without data for {_duration(end_ms - start_ms - observed)}"
    title = f"{to_rfc3339(start_ms)[:10]}: {text}"
    width = _BAR_PX - _GAP_PX
    place_px = f'x="{place * _BAR_PX}" width="{width}" height="{_BARS_HEIGHT_PX}"'
    return f'<rect class="{kind}" {place_px}><title>{title}</title></rect>'


def _incidents(check: ShownCheck, now_ms: int) -> str:
    if not check.outages:
        return ""
    lines = "".join(
        f"<li>{_time(each.since_ms)}: {_WORDS[each.state].lower()} for {_duration(each.until_ms - each.since_ms)}"
        + (", not over yet" if each.until_ms >= now_ms else "")
        + "</li>"
        for each in check.outages[:_MOST_INCIDENTS]
    )
    return f"<h3>Incidents</h3><ul>{lines}</ul>"


def _time(ms: int) -> str:
    return f'<time datetime="{to_rfc3339(ms)}">{_minute(ms)}</time>'


def _minute(ms: int) -> str:
    moment = to_rfc3339(ms)
    return f"{moment[:10]} {moment[11:16]} UTC"


def _duration(ms: int) -> str:
    if ms < _HOUR_MS:
        return f"{max(1, ms // _MINUTE_MS)} min"
    return f"{ms // _HOUR_MS} h {ms % _HOUR_MS // _MINUTE_MS} min"


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
