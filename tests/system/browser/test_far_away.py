"""The console from far away: a round trip of 400 ms, and 50 KB a second."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import Browser

from tests.system.browser.console import DESKTOP, open_console
from tests.system.local_stack import API_KEY, LocalStack

ROUND_TRIP_MS, BYTES_A_SEC = 400, 50_000
MOST_BYTES = 65_000
"""The heading comes within 2.5 s: three round trips, of the connection, the page and its files, and 1.3 s of bytes."""
_NOTE = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("h1")) return;
  window.headingAt = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
_ASKED = """
performance.getEntriesByType("resource").filter((each) => each.startTime < headingAt)
  .map((each) => [each.name.split("/").at(-1), [each.startTime, each.responseEnd, each.transferSize]])
"""


def files_before_the_heading(
    browser: Browser, stack: LocalStack, key: str | None, place: str
) -> Mapping[str, tuple[float, float, int]]:
    """Return when each file was asked for and was there, in milliseconds, and its bytes."""
    with open_console(browser, stack, api_key=key, screen=DESKTOP) as console:
        page = console.page
        page.add_init_script(_NOTE)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": ROUND_TRIP_MS,
                "downloadThroughput": BYTES_A_SEC,
                "uploadThroughput": BYTES_A_SEC,
            },
        )
        console.open(place)
        return dict(page.evaluate(_ASKED))


@pytest.mark.parametrize(
    ("key", "place", "view"),
    [(None, "", None), (API_KEY, "home", "home.js"), (API_KEY, "run", "run.js"), (API_KEY, "runs", "runs.js")],
    ids=["sign-in", "home", "run", "runs"],
)
def test_the_first_heading_needs_three_round_trips_and_few_bytes(
    browser: Browser, stack: LocalStack, key: str | None, place: str, view: str | None
) -> None:
    asked = files_before_the_heading(browser, stack, key, place)
    shell = {"start.js", "app.js", "base.css", "views.css", "lists.css"}
    files = {name: times for name, times in asked.items() if name.endswith((".js", ".css"))}
    assert files.keys() == shell | ({view} if view else set())
    first_there = min(files[name][1] for name in shell)
    assert all(files[name][0] < first_there for name in shell), files  # together
    assert view is None or files[view][0] < files["app.js"][1]  # beside the shell
    assert 0 < sum(size for _, _, size in files.values()) <= MOST_BYTES, files
