"""The status page in HTML: no script, no request to another host, and every text of a client escaped."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.aws.dynamodb.conditional import ABSENT, delete, put
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.settings.check_settings import Slug
from functions.checks.state import DOWN, UNKNOWN, Outage, State
from functions.clock import to_rfc3339
from functions.http.validation import Text, checked_line

# The status page of a project: what it chooses, and what is shown of a check.

MOST_CHECKS = 50
DAYS = 90
DAY_MS = 86_400_000


class StatusPageSettings(BaseModel):
    """Body of PUT /api/status-page. Everybody with the address of the page sees it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    title: Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(checked_line)]
    checks: list[Slug] = Field(
        min_length=1, max_length=MOST_CHECKS, description="Slugs of the checks that it shows, in their order."
    )
    shows_output: bool = Field(
        default=False,
        description="Also show why a check is down: its reason, and expected and actual values of failed assertions.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The status page of a project."""

    project_id: str
    token: str
    title: str
    check_ids: tuple[str, ...]
    shows_output: bool


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
_BAR_PX, _GAP_PX, _HEIGHT_PX = 7, 2, 32
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
        f'<svg viewBox="0 0 {width} {_HEIGHT_PX}" preserveAspectRatio="none" role="img" '
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
    place_px = f'x="{place * _BAR_PX}" width="{width}" height="{_HEIGHT_PX}"'
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


# Status pages in the checks table: one row of a project, and one of the token.


class StatusPageStore(Table):
    """Reads and writes status pages."""

    table_setting = "checks_table"

    def get(self, project_id: str) -> StatusPage | None:
        """Return the page of a project."""
        row = self._get(keys.status_page_key(project_id))
        return None if row is None else _page(project_id, row)

    def of_token(self, token: str) -> StatusPage | None:
        """Return the page with a token."""
        row = self._get(keys.status_token_key(token))
        page = None if row is None else self.get(row["project_id"])
        return page if page is not None and page.token == token else None

    def put(self, before: StatusPage | None, page: StatusPage) -> bool:
        """Write a page in place of the one before, with the same token. False if another request was faster."""
        row: dict[str, Value | None] = {
            "token": page.token,
            "title": page.title,
            "check_ids": to_json(page.check_ids),
            "shows_output": page.shows_output,
        }
        item = {**keys.status_page_key(page.project_id), **to_item(row)}
        token = {**keys.status_token_key(page.token), **to_item({"project_id": page.project_id})}
        condition, values = (ABSENT, {}) if before is None else ("#token = :before", {"before": before.token})
        actions: dict[str, Any] = {
            "page": put(self.table_name, item, condition, values),
            "token": [] if before is not None else put(self.table_name, token),
        }
        return transact_or_raise(self._client, actions) is None

    def delete(self, page: StatusPage) -> None:
        """Delete a page: nobody sees it any more."""
        unchanged = delete(
            self.table_name, keys.status_page_key(page.project_id), "#token = :token", {"token": page.token}
        )
        actions = {"page": unchanged, "token": delete(self.table_name, keys.status_token_key(page.token))}
        transact_or_raise(self._client, actions)

    def purge(self, project_id: str) -> None:
        """Delete the page of a project, if it has one. It reads by a query, as a purge may."""
        for row in self._list(keys.checks_pk(project_id), keys.STATUS):
            self.delete(_page(project_id, row))


def _page(project_id: str, row: Mapping[str, Any]) -> StatusPage:
    return StatusPage(
        project_id=project_id,
        token=row["token"],
        title=row["title"],
        check_ids=tuple(json.loads(row["check_ids"])),
        shows_output=row["shows_output"],
    )
