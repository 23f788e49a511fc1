"""Runs, webhooks, checks and judge runs: what each view shows on a phone, sound on a desktop too; links work."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.system.browser.console import HOSTILE, Console, assert_sound, shown
from tests.system.local_stack import run, wait_until
from tests.system.webhook_inbox import Answer, Delivery, open_receiver

FIRST_ATTEMPTS = 2


@pytest.fixture
def failing_receiver() -> Iterator[tuple[str, Callable[[], None]]]:
    """Give the URL of a receiver that fails with a hostile page, and a function that repairs it."""
    is_repaired = False

    def answer(_: Delivery) -> Answer:
        return Answer(200) if is_repaired else Answer(500, body=HOSTILE.encode())

    def repair() -> None:
        nonlocal is_repaired
        is_repaired = True

    with open_receiver(answer) as url:
        yield url, repair


def test_runs_are_filtered_and_one_run_has_a_timeline(own_console: Console, tenant: httpx.Client) -> None:
    found = run(tenant, "print('from a list')", metadata={HOSTILE[:60]: HOSTILE})
    run(tenant, "raise SystemExit(3)")
    page = own_console.open("runs")
    page.get_by_label("Verdict").select_option("RE")
    expect(page.locator("tbody .verdict-AC")).to_have_count(0)
    expect(page.locator("tbody .verdict-RE").first).to_be_visible()
    assert page.url.endswith("#/runs?verdict=RE")
    page.get_by_label("Verdict").select_option("")
    assert_sound(own_console)
    page.locator(f"a[href='#/runs/{found['id']}']").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page).to_have_title(f"Run {found['id'][:8]}: Accepted · Rustbox console")
    expect(page.locator(".timeline time").first).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d .* UTC$"))
    timeline = page.locator(".timeline")
    for step in ("Request accepted", "Started", "AC: Accepted"):
        expect(timeline).to_contain_text(step)
    expect(page.locator(".facts").filter(has_text="Kept until")).to_contain_text(shown(HOSTILE))
    assert page.locator("img").count() == 0
    assert_sound(own_console)
    page.go_back()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def test_a_thing_is_found_by_its_id(own_console: Console, tenant: httpx.Client) -> None:
    check = tenant.post("/api/checks", json={"name": HOSTILE[:80], "language": "python", "code": "1"}).json()["id"]
    endpoint = tenant.post("/api/webhooks", json={"url": "http://127.0.0.1:9/"}).json()["id"]
    submission = run(tenant, "print(1)")["id"]
    delivery = f"/api/deliveries/{submission}.{endpoint}"
    wait_until(lambda: tenant.get(delivery).status_code == httpx.codes.OK, 60, "the delivery exists")
    for wrong in (
        f"{submission[:-1]}{(int(submission[-1], 16) + 1) % 16:x}",
        HOSTILE,
        "../results",
        "a/b",
        submission[:8],
    ):
        page = own_console.open("runs")
        page.get_by_label("Find by id").fill(wrong)
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing of this project has this id.")
    assert_sound(own_console)
    places = {submission: "runs", endpoint: "webhooks", check: "checks", f"{submission}.{endpoint}": "deliveries"}
    for the_id, view in places.items():
        page = own_console.open("runs")
        page.get_by_label("Find by id").fill(f" {the_id} ")
        page.get_by_label("Find by id").press("Enter")
        page.wait_for_url(f"**/#/{view}/{the_id}")
        expect(page.get_by_label("Find by id")).to_have_count(0)  # the address changes before the view does
        if view == "checks":
            expect(page).to_have_title(f"{shown(HOSTILE)[:80]} · Rustbox console")
    tenant.delete(f"/api/checks/{check}")
    tenant.delete(f"/api/webhooks/{endpoint}")


def test_a_run_of_another_project_is_not_found(own_console: Console, client: httpx.Client) -> None:
    other = run(client, "print(1)")["id"]
    page = own_console.open(f"runs/{other}")
    expect(page.get_by_role("alert")).to_contain_text("no such")


def test_a_failed_delivery_says_why_and_is_sent_again(
    own_console: Console, tenant: httpx.Client, failing_receiver: tuple[str, Callable[[], None]]
) -> None:
    url, repair = failing_receiver
    endpoint = tenant.post("/api/webhooks", json={"url": url, "description": HOSTILE[:40]}).json()["id"]
    submission = run(tenant, "print(1)")["id"]
    delivery = f"{submission}.{endpoint}"
    path = f"/api/deliveries/{delivery}"
    wait_until(lambda: tenant.get(path).json().get("attempts_made", 0) >= FIRST_ATTEMPTS, 100, "the first attempts")
    page = own_console.open("webhooks")
    expect(page.locator(".card")).to_contain_text(shown(HOSTILE[:40]))
    assert_sound(own_console)
    page.locator(".card-title").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("region", name="Signed text")).to_contain_text('"type":"webhook.test"')
    expect(page.get_by_text("The test failed")).to_be_visible()
    assert_sound(own_console)
    own_console.open(f"deliveries/{delivery}")
    expect(page.get_by_text("Why it failed:")).to_be_visible()
    expect(page.get_by_text("500: The receiver failed.").first).to_be_visible()
    page.get_by_text("Beginning of the answer").first.click()
    assert page.get_by_role("region", name="Answer of attempt 1", exact=True).text_content() == shown(HOSTILE)
    expect(page.get_by_role("region", name="Signed text")).to_contain_text(f"{submission}.<webhook-timestamp>.")
    assert_sound(own_console)
    repair()
    # An attempt that began before may be the last one, and fail.
    wait_until(lambda: tenant.get(path).json()["state"] in {"delivered", "exhausted"}, 100, "no attempt is left")
    if tenant.get(path).json()["state"] == "exhausted":
        page.get_by_role("button", name="Send again").click()
    expect(page.locator(".hero")).to_contain_text("delivered")
    own_console.open(f"webhooks/{endpoint}")
    page.get_by_role("button", name="Recover").click()
    expect(page.get_by_text("deliveries are sent again.")).to_be_visible()
    own_console.open(f"runs/{submission}")
    expect(page.locator(".timeline")).to_contain_text("answered 200")
    tenant.delete(f"/api/webhooks/{endpoint}")


def test_a_delivery_that_waits_for_its_retry_is_sent_now_from_the_list(
    own_console: Console, tenant: httpx.Client
) -> None:
    answers = [Answer(503, headers={"retry-after": "3600"})]
    with open_receiver(lambda _: answers.pop() if answers else Answer(200)) as url:
        endpoint = tenant.post("/api/webhooks", json={"url": url}).json()["id"]
        delivery = f"{run(tenant, 'print(1)')['id']}.{endpoint}"
        path = f"/api/deliveries/{delivery}"
        wait_until(partial(has_state, tenant, path, "retrying"), 100, "the first attempt failed")
        page = own_console.open(f"webhooks?endpoint={endpoint}")
        row = page.locator(".list tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text(url.removeprefix("http://"))
        expect(row).to_contain_text("503")
        assert_sound(own_console)
        own_console.open(f"deliveries/{delivery}")
        expect(page.locator(".facts")).to_contain_text("Its next attempt is at")
        own_console.open(f"webhooks?endpoint={endpoint}")
        row.get_by_role("button", name="Send again").click()
        expect(row).to_contain_text("delivered")
        expect(row).to_contain_text("200")
        expect(row.get_by_role("button")).to_have_count(0)
    tenant.delete(f"/api/webhooks/{endpoint}")


def test_a_warning_has_its_time_in_the_zone_of_the_reader(own_console: Console, tenant: httpx.Client) -> None:
    endpoint = tenant.post("/api/webhooks", json={"url": "http://127.0.0.1:9/"}).json()
    at = "2026-11-30T14:33:27.764Z"

    def degraded(route: Route) -> None:
        route.fulfill(json={"items": [endpoint | {"warning": f"Degraded since {at}: 9999-99-99T99:99:99Z <b>"}]})

    own_console.page.route("**/api/webhooks?*", degraded)
    warning = own_console.open("webhooks").locator(".card .warning")
    expect(warning.locator("time")).to_have_attribute("datetime", at)
    expect(warning.locator("time")).to_contain_text("Nov 2026")
    expect(warning).to_contain_text(": 9999-99-99T99:99:99Z <b>")
    assert_sound(own_console)
    tenant.delete(f"/api/webhooks/{endpoint['id']}")


def test_an_endpoint_made_here_shows_its_secret_once(own_console: Console, tenant: httpx.Client) -> None:
    page = own_console.open("webhooks")
    page.get_by_text("Add an endpoint").click()
    page.get_by_label("URL of your receiver").fill("http://127.0.0.1:9/")
    page.get_by_label("every run of a check", exact=True).check()
    page.get_by_text("More settings").click()
    page.get_by_label("In order, one at a time").check()
    page.get_by_label("Only languages").fill("python go")
    page.get_by_label("Own headers").fill("x-team: blue\n\nx-place: a: b")
    page.get_by_label("Requests a second").fill("7")
    assert_sound(own_console)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status").filter(has_text="Created.")).to_contain_text("whsec_")
    expect(page.locator(".card")).to_have_count(1)
    (made,) = tenant.get("/api/webhooks").json()["items"]
    assert made["kinds"] == ["run", "judge", "check"]
    assert (made["ordered"], made["max_per_second"], made["filters"]["languages"]) == (True, 7, ["python", "go"])
    assert made["headers"] == {"x-team": "***", "x-place": "***"}
    tenant.delete(f"/api/webhooks/{made['id']}")


def test_a_secret_is_replaced_and_an_endpoint_deleted_after_a_second_click(
    own_console: Console, tenant: httpx.Client
) -> None:
    made = tenant.post("/api/webhooks", json={"url": "http://127.0.0.1:9/", "description": HOSTILE[:40]}).json()
    path = f"/api/webhooks/{made['id']}"
    page = own_console.open(f"webhooks/{made['id']}")
    page.get_by_role("button", name="Replace the secret…").click()
    assert_sound(own_console)
    page.get_by_role("button", name="Keep it as it is").click()
    assert tenant.get(path).json()["previous_secret_until"] is None
    page.get_by_role("button", name="Replace the secret…").click()
    page.get_by_label("The old one also signs for").select_option("7 days")
    page.get_by_role("button", name="Replace the secret").click()
    notice = page.get_by_role("status").filter(has_text="Replaced.")
    expect(notice).to_contain_text("whsec_")
    expect(notice).not_to_contain_text(made["secret"])
    expect(page.locator(".facts")).to_contain_text("Old secret signs until")
    page.get_by_role("button", name="Delete the endpoint…").click()
    assert_sound(own_console)
    assert tenant.get(path).status_code == httpx.codes.OK
    page.get_by_role("button", name="Delete the endpoint").click()
    expect(page.get_by_role("heading", name="Webhooks")).to_be_visible()
    assert tenant.get(path).status_code == httpx.codes.NOT_FOUND


def test_a_transform_is_tried_with_its_event_beside_the_result_saved_and_removed(
    own_console: Console, tenant: httpx.Client
) -> None:
    made = tenant.post("/api/webhooks", json={"url": "http://127.0.0.1:9/"}).json()
    path = f"/api/webhooks/{made['id']}"
    page = own_console.open(f"webhooks/{made['id']}")
    page.get_by_text("Transform: none").click()
    page.get_by_role("button", name="Begin with slack").click()
    page.get_by_label("Event: a type, or the id of one").fill("check.state.changed")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("region", name="Event")).to_contain_text('"check_slug": "nightly-totals"')
    expect(page.get_by_role("region", name="Result")).to_contain_text("Check *nightly-totals* is failing")
    assert_sound(own_console)
    page.get_by_role("textbox", name="Program").fill(f"raise SystemExit({HOSTILE[:40]!r})")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("Failed (RE): nothing would be sent.")).to_be_visible()
    page.get_by_role("textbox", name="Program").fill("print(1)")
    page.get_by_role("button", name="Save the transform").click()
    expect(page.get_by_text("Transform: a program in python writes the bodies")).to_be_visible()
    assert tenant.get(path).json()["transform"] == {"language": "python", "code": "print(1)"}
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Transform: none")).to_be_visible()
    assert tenant.get(path).json()["transform"] is None
    tenant.delete(path)


def test_a_blocked_delivery_is_transformed_and_sent_again(own_console: Console, tenant: httpx.Client) -> None:
    bodies: list[bytes] = []

    def answer(delivery: Delivery) -> Answer:
        bodies.append(delivery.body)
        return Answer(200)

    def has_bodies(number: int) -> bool:
        return len(bodies) == number

    with open_receiver(answer) as url:
        settings = {"url": url, "transform": {"language": "python", "code": "raise SystemExit(3)"}}
        endpoint = tenant.post("/api/webhooks", json=settings).json()["id"]
        delivery = f"{run(tenant, 'print(1)')['id']}.{endpoint}"
        path = f"/api/deliveries/{delivery}"
        wait_until(partial(has_state, tenant, path, "blocked"), 100, "the transform failed")
        page = own_console.open(f"deliveries/{delivery}")
        expect(page.locator(".facts")).to_contain_text("RE:")
        assert_sound(own_console)
        for number, text in enumerate(("first", "second"), 1):
            transform = {"language": "python", "code": f"print('{text}')"}
            tenant.patch(f"/api/webhooks/{endpoint}", json={"transform": transform})
            page.get_by_role("button", name="Transform and send again").click()
            wait_until(partial(has_bodies, number), 100, "it was sent again")
            expect(page.locator(".hero")).to_contain_text("delivered")
        page.get_by_role("button", name="Send again", exact=True).click()
        wait_until(partial(has_bodies, 3), 100, "its body was sent again")
    assert [body.strip() for body in bodies] == [b"first", b"second", b"second"]
    tenant.delete(f"/api/webhooks/{endpoint}")


def test_the_settings_of_an_endpoint_are_changed_here(own_console: Console, tenant: httpx.Client) -> None:
    settings: dict[str, Any] = {"url": "http://127.0.0.1:9/", "format": "pagerduty", "routing_key": "0" * 32}
    settings |= {"headers": {"x-team": "blue"}, "filters": {"metadata": {"team": HOSTILE[:40]}}}
    made = tenant.post("/api/webhooks", json=settings).json()
    page = own_console.open(f"webhooks/{made['id']}")
    page.get_by_text("Change the settings").click()
    page.get_by_text("More settings").click()
    expect(page.get_by_label("Integration key")).to_have_value("***")
    expect(page.get_by_label("Only metadata")).to_have_value(f"team={HOSTILE[:40]}")
    page.get_by_label("Description").fill("of the team")
    page.get_by_label("the state of a check changed").check()
    page.get_by_label("Requests at a time").fill("3")
    assert_sound(own_console)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".facts").filter(has_text="Description")).to_contain_text("of the team")
    found = tenant.get(f"/api/webhooks/{made['id']}").json()
    assert (found["max_concurrency"], found["events"]) == (3, ["check.state.changed"])
    kept = ("format", "routing_key", "headers", "filters", "kinds", "max_output_bytes")
    assert {name: found[name] for name in kept} == {name: made[name] for name in kept}
    page.get_by_label("Sends").select_option("event")
    page.get_by_text("More settings").click()
    page.get_by_label("Own headers").fill("x-team blue")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("write name: value")
    page.get_by_label("Own headers").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".facts").filter(has_text="Format")).to_contain_text("event")
    assert tenant.get(f"/api/webhooks/{made['id']}").json()["headers"] == {}
    tenant.delete(f"/api/webhooks/{made['id']}")


def has_state(tenant: httpx.Client, path: str, state: str) -> bool:
    """Tell whether a check has this state."""
    return bool(tenant.get(path).json()["state"] == state)


def test_the_board_shows_a_failing_check_with_its_last_good_output(own_console: Console, tenant: httpx.Client) -> None:
    program = {"name": HOSTILE[:50], "language": "python", "assertions": [{"type": "same_as_last_good"}]}
    program |= {"runbook_url": "https://wiki.example.com/runbooks/totals"}
    check = tenant.post("/api/checks", json=program | {"code": "print('one\\ntwo')"}).json()["id"]
    path = f"/api/checks/{check}"
    for state, code in (("up", None), ("failing", f"print('one\\nthree', {HOSTILE!a})")):
        if code is not None:
            tenant.patch(path, json={"code": code})
        tenant.post(f"{path}/run", json={})
        wait_until(partial(has_state, tenant, path, state), 100, f"the check is {state}")
    page = own_console.open("checks")
    expect(page.locator(".card")).to_contain_text("failing")
    expect(page.get_by_role("img")).to_have_attribute(
        "aria-label", "The last 2 runs: 1 passed, 1 failed. The newest failed."
    )
    assert_sound(own_console)
    page.locator(".card-title").click()
    difference = page.get_by_role("region", name="Difference")
    expect(difference.locator(".line-gone")).to_have_text("- two\n")
    expect(difference.locator(".line-new")).to_have_text(f"+ three {shown(HOSTILE)}\n")
    expect(page.get_by_text("stdout equals the last good output")).to_be_visible()
    history = page.get_by_role("img", name="The last 7 days")
    expect(history).to_have_accessible_name(re.compile(r": up [\d.]+ % since .+; 1 outage; down for "))
    expect(history.locator("g")).to_have_count(28)
    expect(history.locator(".bar-none")).to_have_count(27)
    expect(history.locator(".bar-bad")).to_have_count(1)
    page.get_by_role("button", name="30 days").click()
    expect(page.get_by_role("img", name="The last 30 days").locator("g")).to_have_count(30)
    page.get_by_text("Outages", exact=True).click()
    expect(page.get_by_text("it lasts")).to_be_visible()
    assert_sound(own_console)
    runbook = page.get_by_role("link", name="https://wiki.example.com/runbooks/totals")
    expect(runbook).to_have_attribute("href", "https://wiki.example.com/runbooks/totals")
    assert_sound(own_console)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".hero")).to_contain_text("paused")
    tenant.delete(path)


def test_a_judge_run_shows_its_score_and_cases(own_console: Console, tenant: httpx.Client) -> None:
    cases: list[dict[str, Any]] = [
        {"id": f"{number} {HOSTILE[:30]}", "stdin": f"{number}\n", "expected": "0\n"} for number in range(2)
    ]
    validator = (
        "import sys\nfor name in ('judge', 'team'): open(f'{sys.argv[3]}{name}message.txt', 'w').write(name + '<b>')\n"
    )
    kattis = {"kind": "program", "language": "python", "protocol": "kattis", "code": validator + "sys.exit(43)"}
    cases[1] |= {"checker": kattis}
    cases.append({"id": "secret", "stdin": "0\n", "expected": "0\n", "visibility": "hidden"})
    body = {
        "language": "python",
        "code": f"import sys\nprint(input(), file=sys.stdout)\nprint({HOSTILE!a}, file=sys.stderr)",
        "cases": cases,
    }
    judged = tenant.post("/api/judge", params={"wait": "true"}, json=body).json()
    page = own_console.open("runs?kind=judge")
    row = page.locator(f"tr:has(a[href='#/judge/{judged['id']}'])")
    expect(row).to_contain_text("2/3")
    expect(row).to_contain_text("of 3 points")
    row.locator("a").click()
    expect(page.locator(".hero")).to_contain_text("2 of 3 cases passed")
    expect(page).to_have_title(f"Judge run {judged['id'][:8]}: 2 passed · Rustbox console")
    assert_sound(own_console)
    page.get_by_role("link", name="Case 2: wrong answer").click()
    expect(page.get_by_role("region", name="Output of case 2")).to_have_text("1\n")
    expect(page.locator("#case-1")).to_contain_text("The program ended by itself with exit code 0.")
    expect(page.locator("#case-1")).to_contain_text("For the contestant: team<b>")
    expect(page.locator("#case-1")).to_contain_text("The checker says: judge<b>")
    expect(page.get_by_role("region", name="Errors of case 2")).to_have_text(f"{shown(HOSTILE)}\n")
    page.get_by_role("link", name="Case 3: passed").click()
    expect(page.get_by_text("This case is hidden")).to_be_visible()


def test_problems_are_listed_without_their_cases(own_console: Console, tenant: httpx.Client) -> None:
    cases = [{"stdin": "x" * 1_000_000, "expected": "secret answer"}]
    pushed = tenant.post("/api/problems", json={"id": "console-1", "cases": cases}).json()
    page = own_console.open("runs")
    page.get_by_role("link", name="Problems that this project keeps").click()
    row = page.get_by_role("row").filter(has_text="console-1")
    expect(row).to_contain_text(pushed["version"])
    expect(row).to_contain_text("977 KB")
    expect(row.locator("[data-name=cases]")).to_have_text("1")
    expect(page).to_have_title("Problems · Rustbox console")
    expect(page.get_by_text("secret answer")).to_have_count(0)
    assert_sound(own_console)
    body = {"problem": "console-1", "language": "python", "code": "print(len(input()))"}
    judged = tenant.post("/api/judge", params={"wait": "true"}, json=body).json()
    page = own_console.open(f"judge/{judged['id']}")
    expect(page.locator(".facts").first).to_contain_text(f"console-1@{pushed['version']}")
    assert tenant.delete("/api/problems/console-1").status_code == httpx.codes.OK


def test_keys_open_views_and_leave_typing_alone(own_console: Console) -> None:
    page = own_console.open("runs")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Find by id")
    assert_sound(own_console)
    page.keyboard.press("2")  # nothing acts below the list
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("dialog :focus")).to_have_count(0)  # the browser takes the focus away a frame later
    page.keyboard.press("3")
    expect(page.get_by_role("heading", name="Webhooks")).to_be_focused()
    page.keyboard.press("/")
    field = page.get_by_label("Find by id")
    expect(field).to_be_focused()
    page.keyboard.type("?/1")
    expect(field).to_have_value("?/1")
    own_console.open("run")
    page.locator("#code").fill("")
    page.locator("#code").press_sequentially("?/2")
    expect(page.locator("#code")).to_have_value("?/2")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Single keys act").uncheck()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog :focus")).to_have_count(0)
    page.keyboard.press("2")
    page.keyboard.press("?")
    expect(dialog).to_be_hidden()
    assert page.url.endswith("#/run")
    own_console.open("checks")
    page.reload()
    expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(dialog).to_be_hidden()


def test_links_from_outside_open_their_view_and_nonsense_opens_run(own_console: Console) -> None:
    page = own_console.open("runs?verdict=TLE&status=completed")
    expect(page.get_by_label("Verdict")).to_have_value("TLE")
    expect(page.get_by_text("No such runs")).to_be_visible()
    own_console.open("constructor/__proto__")
    expect(page.get_by_role("heading", name="Run a program")).to_be_visible()
    for path in ("..", "%2e%2e", "..%5C..%5Capi", "a b"):
        own_console.open("run")
        own_console.open(f"runs/{path}")
        expect(page.get_by_label("Verdict")).to_be_visible()
    own_console.open("runs/not-an-id")
    expect(page.get_by_role("alert")).to_contain_text("UUID")
