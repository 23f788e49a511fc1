"""The list of runs: rows that say what happened, filters, many pages, and the way back."""

import re
import time
from contextlib import suppress
from itertools import batched

import httpx
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import TimeoutError as NotInTimeError

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.ids import new_id
from functions.submissions.store import encode_submission
from tests.submission_factory import final_submission
from tests.system.browser.console import DESKTOP, HOSTILE, PHONE, Console, Screen, assert_sound, open_console
from tests.system.local_stack import LocalStack, run

RUNS = 10_000
PAGE = 100
ROWS = "tbody tr:not(.day)"


def test_a_row_says_what_a_run_printed_where_it_came_from_and_its_metadata(
    own_console: Console, tenant: httpx.Client
) -> None:
    found = run(tenant, f"raise KeyError({HOSTILE!r})", metadata={"team<b>": HOSTILE[:40]})
    page = own_console.open("run")
    page.get_by_label("Program", exact=True).and_(page.locator("textarea")).fill("print('of the console')")
    page.keyboard.press("Control+Enter")
    page.locator(".result").wait_for()
    own_console.open("runs")
    row = page.locator(f"tr:has(a[href='#/runs/{found['id']}'])")
    expect(row).to_contain_text("KeyError: ")
    expect(row).to_contain_text("<script>alert(1)")
    expect(row).to_contain_text(f"team<b>={HOSTILE[:40]}")
    expect(row.locator("[data-name=from]")).to_have_text("api")
    other = page.get_by_role("row").filter(has_text="of the console").first
    expect(other.locator("[data-name=from]")).to_have_text("console")
    assert page.locator("main img, main b, main script").count() == 0
    day = page.locator("tr.day")
    expect(day.first).to_contain_text(re.compile(r"^\w+,? \d+ \w+ \d{4} \d+ runs?$"))
    totals = [int(text.split()[-2]) for text in day.all_inner_texts()]
    assert sum(totals) == page.locator(ROWS).count()
    assert_sound(own_console)
    page.get_by_label("Text").fill("KEYERROR")
    page.keyboard.press("Enter")
    expect(row).to_be_visible()
    expect(other).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="found in")).to_contain_text("which are all")
    assert page.url.endswith("#/runs?q=KEYERROR")
    own_console.open("runs?since=2036-01-01T00:00:00.000Z")
    expect(page.get_by_text("No such runs")).to_be_visible()
    expect(page.get_by_label("From")).to_have_value(re.compile("^2036-01-01T|^2035-12-31T"))
    page.get_by_label("From").fill("2020-01-01T00:00")
    expect(row).to_be_visible()


@pytest.fixture(scope="module")
def busy_key(stack: LocalStack) -> str:
    """Give the key of a project with many runs, one a second."""
    key, table, now = stack.add_project("busy"), stack.aws("dynamodb"), time.time_ns() // 1_000_000
    rows = (
        final_submission(
            submission_id=new_id(),
            project_id="busy",
            created_at=to_rfc3339(now - number * MS_PER_SEC),
            ttl=now // MS_PER_SEC + 86_400,
            metadata={"number": str(number)},
            summary={"source": "api", "line": f"line of {number}", "result": {"verdict": "AC"}, "metrics": None},
        )
        for number in range(RUNS)
    )
    for some in batched(rows, 100):
        puts = [
            {"Put": {"TableName": "rustbox-local-SubmissionsTable", "Item": encode_submission(row)}} for row in some
        ]
        table.transact_write_items(TransactItems=puts)
    return key


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_ten_thousand_runs_come_by_pages_and_back_finds_the_place(
    browser: Browser, stack: LocalStack, busy_key: str, screen: Screen
) -> None:
    with open_console(browser, stack, api_key=busy_key, screen=screen) as console:
        page = console.open("runs?verdict=AC")
        rows = page.locator(ROWS)
        expect(rows).to_have_count(PAGE)
        expect(page.locator("tr.day").last).to_contain_text("shown, more below")
        for pages in (2, 3):
            page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
            expect(rows).to_have_count(pages * PAGE)
        link = rows.filter(has_text="line of 250").locator("a")
        link.scroll_into_view_if_needed()
        place = link.get_attribute("href")
        link.evaluate("(link) => link.addEventListener('click', () => { window.clickedAt = scrollY; })")
        link.click()
        expect(page.get_by_role("heading", name="Run ")).to_be_focused()
        page.go_back()
        expect(rows).to_have_count(3 * PAGE)
        expect(page.locator(f"a[href='{place}']")).to_be_focused()
        expect(page.get_by_label("Verdict")).to_have_value("AC")
        expect(page.locator(f"a[href='{place}']")).to_be_in_viewport()
        assert abs(page.evaluate("scrollY - window.clickedAt")) < screen.height / 8
        assert not console.is_too_wide()
        page.get_by_role("navigation").get_by_role("link", name="Runs").click()
        console.open("checks")
        page.get_by_role("navigation").get_by_role("link", name="Runs").click()
        expect(rows).to_have_count(PAGE)  # a link opens the list anew
        assert console.accessibility_problems() == []


def test_a_list_that_refreshes_itself_keeps_the_rows_of_further_pages_and_rests_in_a_hidden_tab(
    browser: Browser, stack: LocalStack, busy_key: str
) -> None:
    with open_console(browser, stack, api_key=busy_key) as console, stack.client(busy_key) as client:
        page, asked = console.page, list[str]()
        page.add_init_script(
            "Object.defineProperty(document, 'hidden', {get: () => window.isHidden ?? false, configurable: true})"
        )
        page.on("request", lambda request: asked.append(request.url) if "/api/results" in request.url else None)
        program = "import sys\nprint(sys.stdin.read())\nimport time\ntime.sleep(6)"
        started = client.post("/api/submit", json={"language": "python", "code": program, "stdin": "slow"}).json()["id"]
        console.open("runs")
        rows = page.locator(ROWS)
        expect(rows).to_have_count(PAGE)
        page.evaluate("window.isHidden = true")
        page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
        expect(rows).to_have_count(2 * PAGE)
        before = len(asked)
        page.wait_for_timeout(2_500)
        assert len(asked) == before
        page.evaluate("window.isHidden = false")
        seen_at = time.monotonic()
        row = page.locator(f"tr:has(a[href='#/runs/{started}'])")
        expect(row.locator(".verdict-AC")).to_be_visible()
        expect(rows).to_have_count(2 * PAGE)
        assert 1 <= len(asked) - before <= 1 + (time.monotonic() - seen_at) / 1.25  # one after the other
        page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
        expect(rows).to_have_count(3 * PAGE)
        ids = rows.locator("td.said > a").evaluate_all("(links) => links.map((link) => link.hash)")
        assert len(set(ids)) == 3 * PAGE


def test_a_search_says_how_far_it_read_and_goes_on(browser: Browser, stack: LocalStack, busy_key: str) -> None:
    with open_console(browser, stack, api_key=busy_key) as console:
        page = console.open("runs?q=line+of+1500")
        status = page.get_by_role("status").filter(has_text="found in")
        expect(status).to_have_text("0 found in 1000 runs, newest first.")
        page.get_by_role("button", name="Search further").click()
        expect(status).to_have_text("1 found in 2000 runs, newest first.")
        console.open("runs?metadata=number%3D9876")
        expect(page.get_by_text("None found yet")).to_be_visible()  # a page reads 4,000 rows
        for _ in range(50):
            if page.locator(ROWS).count():
                break
            with suppress(NotInTimeError):  # the end of the page asks for more by itself, and the button may be gone
                page.get_by_role("button", name="Show more").click(timeout=1_000)
            page.wait_for_timeout(300)
        expect(page.get_by_text("line of 9876")).to_be_visible()


def test_another_user_of_the_tab_gets_a_list_of_his_own(
    browser: Browser, stack: LocalStack, busy_key: str, tenant: httpx.Client
) -> None:
    with open_console(browser, stack, api_key=busy_key) as console:
        page = console.open("runs")
        expect(page.locator(ROWS)).to_have_count(PAGE)
        page.get_by_role("navigation").get_by_role("link", name="Checks").click()
        expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("API key").fill(tenant.headers["X-API-Key"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="Runs")).to_be_visible()
        expect(page.get_by_role("button", name="Refresh")).to_be_visible()
        expect(page.get_by_text("line of 1")).to_have_count(0)
