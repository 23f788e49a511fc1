"""The public status page: every text of a client is escaped, and no script runs."""

from html.parser import HTMLParser

import pytest

from functions.checks.public_views import DAY_MS, HEADERS, ShownCheck, render
from functions.checks.state import Outage, State

NOW = 1_764_000_000_000
MINUTE_MS = 60_000
HOSTILE = (
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><style>body{display:none}</style>"),
    *("'><svg/onload=alert(1)>", "</title><h1>x", "&lt;b&gt;", "\u202eevil"),
)
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section"),
    *("h1", "h2", "h3", "p", "strong", "span", "ul", "li", "bdi", "time", "svg", "rect"),
}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def check(**changes: object) -> ShownCheck:
    values = {"name": "Totals", "state": State.UP, "since_ms": NOW - 5, "observed": ((NOW - 30 * DAY_MS, NOW),)}
    return ShownCheck(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_a_text(text: str) -> None:
    calm = Page(render("a", [check(name="a", details=("a",), state=State.FAILING)], NOW))
    page = Page(render(text, [check(name=text, details=(text,), state=State.FAILING)], NOW))
    assert page.tags == calm.tags
    assert set(page.tags) <= TAGS
    assert page.attributes == calm.attributes
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.texts.count(text) == 4  # title, heading, name, detail


def test_the_policy_allows_no_script_and_only_its_own_style() -> None:
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "style=" not in render("a", [check()], NOW)


def test_days_show_their_outages() -> None:
    today = NOW // DAY_MS * DAY_MS
    outages = (
        Outage(since_ms=today - DAY_MS, until_ms=today - DAY_MS + 60 * 60_000, state=State.FAILING),
        Outage(since_ms=today - 3 * DAY_MS, until_ms=today - 2 * DAY_MS, state=State.LATE),
    )
    text = render("a", [check(outages=outages)], NOW)
    assert text.count('<rect class="none"') == 90 - 31
    assert (text.count('<rect class="some"'), text.count('<rect class="down"')) == (1, 1)
    assert "2025-11-23: down for 1 h 0 min" in text
    assert "down for 1 h 0 min</li>" in text
    assert "late for 24 h 0 min</li>" in text


def test_an_outage_that_lasts_is_not_over() -> None:
    outage = Outage(since_ms=NOW - 120_000, until_ms=NOW, state=State.LATE)
    text = render("a", [check(state=State.LATE, outages=(outage,))], NOW)
    assert "1 of 1 checks are down." in text
    assert "late for 2 min, not over yet" in text


def test_the_share_says_since_when_it_counts() -> None:
    assert "Up 100.00 % since 2025-10-25 16:00 UTC<" in render("a", [check()], NOW)
    assert "Up 100.00 % of the last 90 days<" in render("a", [check(observed=((NOW - 91 * DAY_MS, NOW),))], NOW)


def test_a_check_without_a_run_has_no_data() -> None:
    text = render("a", [check(state=State.NEW, since_ms=0, observed=())], NOW)
    assert text.count('<rect class="none"') == 90
    assert 'aria-label="No data"' in text
    assert "There is no data now." in text
    assert "%" not in text.partition("<body>")[2]


def test_a_check_whose_only_run_failed_was_never_up() -> None:
    failed_ms = NOW - 5 * MINUTE_MS
    outage = Outage(since_ms=failed_ms, until_ms=NOW, state=State.FAILING)
    text = render("a", [check(state=State.FAILING, observed=((failed_ms, NOW),), outages=(outage,))], NOW)
    assert "Up 0.00 % since 2025-11-24 15:55 UTC<" in text
    assert (text.count('<rect class="none"'), text.count('<rect class="down"')) == (89, 1)
    assert "down for 5 min, without data for 15 h 55 min<" in text


def test_time_without_data_is_not_counted() -> None:
    paused_ms, again_ms = NOW - 20 * DAY_MS, NOW - 10 * DAY_MS
    outages = (
        Outage(since_ms=again_ms, until_ms=again_ms + DAY_MS, state=State.LATE),
        Outage(since_ms=paused_ms, until_ms=again_ms, state=State.LATE),  # from a stretch that is no longer kept
    )
    text = render("a", [check(observed=((NOW - 30 * DAY_MS, paused_ms), (again_ms, NOW)), outages=outages)], NOW)
    assert "Up 95.00 % since 2025-10-25 16:00 UTC, without data for 240 h 0 min<" in text


def test_a_share_with_an_outage_is_not_shown_as_whole() -> None:
    outage = Outage(since_ms=NOW - 10 * MINUTE_MS, until_ms=NOW - 9 * MINUTE_MS, state=State.LATE)
    assert "Up 99.99 % since" in render("a", [check(outages=(outage,))], NOW)
