"""Home: what the project's runs, checks and endpoints are like now, and the ways to their lists."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from functions.projects.store import ProjectStore
from tests.system.browser.console import HOSTILE, PHONE, assert_sound, open_console, shown
from tests.system.local_stack import LocalStack, run, wait_until


@pytest.fixture
def fresh(stack: LocalStack) -> Iterator[httpx.Client]:
    """Give a client of a project that has nothing yet."""
    with stack.client(stack.add_project("home")) as client:
        yield client


def test_each_number_of_home_leads_to_its_list(browser: Browser, stack: LocalStack, fresh: httpx.Client) -> None:
    key = fresh.headers["X-API-Key"]
    with open_console(browser, stack, api_key=key, screen=PHONE) as console:
        page = console.open("home")
        cards = page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=2))
        runs = cards.filter(has_text="Runs today")
        expect(runs.locator(".number")).to_have_text("0")
        run(fresh, "print(1)")
        failed = run(fresh, "raise SystemExit(3)")
        check = {"name": HOSTILE[:80], "language": "python", "code": "raise SystemExit(1)"}
        made = fresh.post("/api/checks", json=check).json()["id"]
        fresh.post(f"/api/checks/{made}/run", params={"wait": "20"}).raise_for_status()
        endpoint = fresh.post("/api/webhooks", json={"url": "http://127.0.0.1:9/x", "enabled": False})
        endpoint.raise_for_status()
        overview = "/api/overview"
        wait_until(lambda: fresh.get(overview).json()["verdicts"].get("RE", 0) >= 2, 40, "the runs are counted")
        wait_until(lambda: '"failed_checks":1' in fresh.get(overview).text, 40, "the failed check is counted")
        page.get_by_role("button", name="Refresh").click()
        expect(runs.locator(".number")).to_have_text("3")
        expect(runs.get_by_role("link", name="RE 2")).to_be_visible()
        by_hour = re.compile(r"^Runs, by hour: (0 runs, ){23}(0 runs, 3|1 runs, 2|2 runs, 1|3 runs, 0) runs$")
        expect(runs.get_by_role("img")).to_have_attribute("aria-label", by_hour)
        expect(cards.filter(has_text="95 of 100").locator(".number")).to_contain_text("s")
        expect(cards.filter(has_text="Waiting or running").locator(".number")).to_have_text("0")
        expect(cards.filter(has_text="Failing checks")).to_contain_text(shown(check["name"]))
        failing = re.compile(r"^Failed runs of checks, by hour: (0 failed, ){23}(0 failed, 1|1 failed, 0) failed$")
        expect(cards.filter(has_text="Failing checks").get_by_role("img")).to_have_attribute("aria-label", failing)
        waits = cards.filter(has_text="Waiting or running").get_by_role("img")
        expect(waits).to_have_attribute("aria-label", re.compile(r", \d+(\.\d+)? (ms|s)(, \u2013)?$"))
        expect(cards.filter(has_text="Failing endpoints")).to_contain_text("http://127.0.0.1:9/x")
        assert page.locator("main img, main script").count() == 0
        assert_sound(console)
        runs.get_by_role("link", name="RE 2").click()
        expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_focused()
        expect(page.locator(f"a[href='#/runs/{failed['id']}']")).to_be_visible()
        expect(page.locator("tbody tr:not(.day)")).to_have_count(2)
        page.go_back()
        runs.locator(".number").click()
        expect(page.locator("tbody tr:not(.day)")).to_have_count(3)


def test_a_count_of_a_list_that_goes_on_says_so(browser: Browser, stack: LocalStack, fresh: httpx.Client) -> None:
    with open_console(browser, stack, api_key=fresh.headers["X-API-Key"]) as console:
        page = console.page
        cut = {"items": [{"id": "a", "url": "http://127.0.0.1:9/x", "health": "disabled"}], "next_cursor": "more"}
        page.route("**/api/webhooks?*", lambda route: route.fulfill(json=cut))
        console.open("home")
        endpoints = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Failing endpoints"))
        expect(endpoints.locator(".number")).to_have_text("1+")


def test_a_key_without_the_right_to_read_has_no_home(browser: Browser, stack: LocalStack) -> None:
    stack.add_project("runner-only")
    key = ProjectStore("rustbox-local-ProjectsTable", stack.aws("dynamodb")).issue_key("runner-only", rights=("run",))
    with open_console(browser, stack, api_key=key) as console:
        page = console.open("run")
        expect(page.locator("footer")).to_contain_text("Its rights: run.")
        expect(page.get_by_role("navigation").get_by_role("link", name="Home")).to_have_count(0)
