"""Checks in the console: made, changed, and reported to by a job elsewhere; and the public status page."""

import re
from datetime import UTC, datetime
from functools import partial

import httpx
from playwright.sync_api import expect
from standardwebhooks.webhooks import Webhook

from tests.system.browser.console import HOSTILE, Console, assert_sound, shown
from tests.system.local_stack import wait_until


def ids(tenant: httpx.Client) -> set[str]:
    return {check["id"] for check in tenant.get("/api/checks", params={"limit": 100}).json()["items"]}


def test_a_check_is_made_and_changed_with_the_next_times_of_its_schedule(
    own_console: Console, tenant: httpx.Client
) -> None:
    before = ids(tenant)
    page = own_console.open("checks/new")
    expect(page).to_have_title("New check · Rustbox console")
    page.get_by_label("Name").fill("Made here")
    schedule = page.get_by_label("Schedule")
    schedule.fill("every day")
    expect(page.locator(".next-times")).to_contain_text("A cron expression has six fields")
    schedule.fill("rate(2 hours)")
    expect(page.locator(".next-times li")).to_have_count(5)
    page.get_by_text("As JSON").click()
    page.get_by_label("Assertions").fill("[{")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("Assertions: ")
    page.get_by_label("Assertions").fill('[{"type": "stdout", "contains": "squared"}]')
    page.get_by_role("button", name="Add a quiet time").click()
    assert_sound(own_console)
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".hero")).to_contain_text("Made here")
    expect(page.get_by_role("heading", name="History")).to_have_count(0)  # nothing ran yet
    expect(page.locator(".facts")).to_contain_text("cron(0 2 ? * SUN *)")
    (check,) = ids(tenant) - before
    page.get_by_role("button", name="Run now").click()
    wait_until(lambda: tenant.get(f"/api/checks/{check}").json()["state"] == "up", 100, "the check is up")
    page.reload()
    expect(page.locator(".list tbody tr")).to_contain_text("request")
    page.get_by_role("link", name="Change").click()
    expect(page).to_have_title("Change the check · Rustbox console")
    page.get_by_label("Name").fill(HOSTILE[:40])
    page.get_by_label("Schedule").fill("")
    page.get_by_label("Tags").fill("a, b")
    page.get_by_label("Hosts that the program may reach").fill("api.example.com")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("This project may not reach api.example.com:443.")
    page.get_by_label("Hosts that the program may reach").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".hero")).to_contain_text(shown(HOSTILE[:40]))
    changed = tenant.get(f"/api/checks/{check}").json()
    assert (changed["schedule"], changed["tags"], len(changed["quiet"])) == (None, ["a", "b"], 1)
    assert_sound(own_console)
    tenant.delete(f"/api/checks/{check}")


def test_the_calls_of_a_check_show_their_outcomes(own_console: Console, tenant: httpx.Client) -> None:
    check = tenant.post("/api/checks", json={"name": "called", "language": "python", "code": "print(1)"}).json()["id"]
    made = tenant.post(f"/api/checks/{check}/secret").json()
    body, message_id, now = '{"version": "1.4.2"}', f"deploy_{HOSTILE[:20]}", datetime.now(UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(made["secret"]).sign(message_id, now, body),
    }
    for signed in (headers, headers, headers | {"webhook-signature": "v1,bm8="}):
        tenant.post(made["url"], content=body, headers=signed)
    page = own_console.open(f"checks/{check}")
    calls = page.locator(".list").last
    expect(calls.locator("tbody tr")).to_have_count(3)
    for outcome in ("ran", "repeated", "refused"):
        expect(calls.get_by_text(outcome, exact=True)).to_be_visible()
    expect(calls).to_contain_text(message_id)
    expect(page.locator(".list").first).to_contain_text(f"event · signed call {message_id}")
    wait_until(lambda: tenant.get(f"/api/checks/{check}").json()["state"] == "up", 100, "the check is up")
    page.reload()
    page.get_by_text("Let a service call this check").click()
    page.get_by_label("Signed as").select_option("stripe")
    page.get_by_label("Its secret").fill("short")
    page.get_by_role("button", name="Replace the secret").click()
    expect(page.get_by_role("alert")).to_contain_text("whsec_")
    page.get_by_label("Signed as").select_option("github")
    page.get_by_label("Its secret").fill("")
    page.get_by_role("button", name="Replace the secret").click()
    expect(page.get_by_text("Keep this secret")).to_be_visible()
    assert_sound(own_console)
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Signed calls: events").fill("push, pull_request.opened")
    page.get_by_label("Values to match").fill('{"$.ref": "refs/heads/main"}')
    page.get_by_label("Status of the commit").fill("ghp_" + "a" * 36)
    page.get_by_label("Its label").fill("rustbox/push")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".facts")).to_contain_text('$.ref is "refs/heads/main"')
    shown_calls = tenant.get(f"/api/checks/{check}/calls").json()
    assert shown_calls["verification"]["verify"] == "github"
    changed = tenant.get(f"/api/checks/{check}").json()
    assert changed["events"] == ["push", "pull_request.opened"]
    assert (
        changed["report"]["github_status"] | {"token": "***", "context": "rustbox/push"}
        == (changed["report"]["github_status"])
    )
    tenant.delete(f"/api/checks/{check}")


def test_a_heartbeat_shows_its_address_once_and_the_bodies_of_its_pings(
    own_console: Console, tenant: httpx.Client
) -> None:
    before = ids(tenant)
    page = own_console.open("checks/new")
    page.get_by_label("Kind").select_option("heartbeat")
    page.get_by_label("Name").fill("Backup")
    page.get_by_label("Pings come at").fill("rate(1 day)")
    assert_sound(own_console)
    page.get_by_role("button", name="Create").click()
    command = page.get_by_role("status").locator("code").nth(1).inner_text()
    assert_sound(own_console)
    (check,) = ids(tenant) - before
    url = re.search(r"http\S+", command)
    assert url is not None
    ended = httpx.post(f"{url[0]}/3", content=f"disk full {HOSTILE}")
    assert (ended.status_code, ended.text) == (200, "OK")
    page.get_by_role("link", name="Open the heartbeat").click()
    expect(page.locator(".hero")).to_contain_text("failing")
    row = page.locator(".list tbody tr")
    expect(row).to_contain_text("the job ended with exit code 3")
    expect(row).to_contain_text("ping")
    row.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Body of the ping")).to_contain_text(f"disk full {shown(HOSTILE)[:40]}")
    page.get_by_role("button", name="Replace the ping address…").click()
    assert_sound(own_console)
    assert httpx.post(url[0]).text == "OK"
    page.get_by_role("button", name="Replace the ping address").click()
    expect(page.get_by_text("Keep this address")).to_be_visible()
    assert httpx.post(url[0]).text != "OK"
    own_console.open("checks")
    card = page.locator(".card").filter(has_text="Backup")
    expect(card).to_contain_text("late without a ping in")
    assert_sound(own_console)
    tenant.delete(f"/api/checks/{check}")


def test_the_status_page_is_sound_and_shows_hostile_names_as_text(own_console: Console, tenant: httpx.Client) -> None:
    made = [
        tenant.post("/api/checks", json={"name": name, "slug": slug, "language": "python", "code": code}).json()["id"]
        for name, slug, code in ((HOSTILE[:80], "hostile", "1/0"), ("Site", "site", "1"))
    ]
    for check, state in zip(made, ("failing", "up"), strict=True):
        path = f"/api/checks/{check}"
        tenant.post(f"{path}/run", json={})
        wait_until(partial(has_state, tenant, path, state), 100, f"the check is {state}")
    body = {"title": "Status of <b>all</b>", "checks": ["hostile", "site"], "shows_output": True}
    url = tenant.put("/api/status-page", json=body).json()["url"]
    page = own_console.page
    page.goto(own_console.url.rstrip("/") + url)
    expect(page.locator("h1")).to_have_text("Status of <b>all</b>")
    expect(page.locator("section").first).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("section").first).to_contain_text("Down")
    expect(page.locator("section rect")).to_have_count(180)
    assert page.locator("script, img").count() == 0
    assert_sound(own_console)
    tenant.delete("/api/status-page")
    for check in made:
        tenant.delete(f"/api/checks/{check}")


def has_state(tenant: httpx.Client, path: str, state: str) -> bool:
    return bool(tenant.get(path).json()["state"] == state)


def test_assertions_are_built_and_tried_on_the_last_output(own_console: Console, tenant: httpx.Client) -> None:
    body = {"name": "built", "language": "python", "code": f"print({HOSTILE!a})", "env": {"TOKEN": "kept"}}
    check = tenant.post("/api/checks", json=body).json()["id"]
    tenant.post(f"/api/checks/{check}/run")
    wait_until(lambda: tenant.get(f"/api/checks/{check}").json()["state"] == "up", 100, "the check is up")
    page = own_console.open(f"checks/{check}?edit=1")
    page.get_by_role("button", name="Add an assertion").focus()
    page.keyboard.press("Enter")  # the keyboard is enough
    page.get_by_role("group", name="Output").get_by_role("textbox", name="Value").fill("broken out")
    page.get_by_role("button", name="Add an assertion").click()
    page.get_by_label("What").last.select_option("exit_code")
    page.get_by_role("spinbutton", name="Value").fill("3")
    page.get_by_role("button", name="Try on the last output").click()
    expect(page.get_by_text("It would not pass, on the last run.")).to_be_visible()
    expect(page.locator(".tried .holds").last).to_contain_text("stdout contains 'broken out'")
    expect(page.locator(".tried")).to_contain_text("expected 3, got 0")
    assert page.locator(".tried script, .tried h1").count() == 0
    assert_sound(own_console)
    page.get_by_label("What").last.select_option("stdout")
    page.get_by_label("How").last.select_option("matches")
    page.get_by_role("group", name="Output").last.get_by_role("textbox", name="Value").fill("(")
    page.get_by_role("button", name="Try on the last output").click()
    expect(page.get_by_role("alert")).to_contain_text("RE2 refuses the pattern")
    page.get_by_role("group", name="Output").last.get_by_role("button", name="Remove").click()
    page.get_by_label("Repeats of a failed run").fill("2")
    page.get_by_label("Failing after").fill("2")
    page.get_by_label("of the last runs").fill("3")
    page.get_by_label("Wall time, s").fill("5")
    page.get_by_label("Variables").fill("TOKEN=***\nMODE=fast=1")
    page.get_by_label("Calls with one key").check()
    page.get_by_label("Key, a path").fill("$.ref")
    page.get_by_label("One run after silence").fill("10")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".facts")).to_contain_text("one run 10 s after the last call")
    changed = tenant.get(f"/api/checks/{check}").json()
    assert changed["assertions"] == [{"type": "stdout", "contains": "broken out"}]
    assert (changed["retries"], changed["fail_after"]) == (2, {"needed": 2, "of": 3})
    assert changed["limits"]["wall_time_secs"] == 5
    assert changed["env"] == {"TOKEN": "***", "MODE": "***"}
    assert changed["group"]["key"] == "$.ref"
    tenant.delete(f"/api/checks/{check}")


def test_assertions_of_a_new_check_are_tried_on_a_run_of_its_program(
    own_console: Console, tenant: httpx.Client
) -> None:
    before = ids(tenant)
    page = own_console.open("checks/new")
    page.get_by_role("button", name="Try on the last output").click()
    expect(page.get_by_text("It would pass, on a new run of this program.")).to_be_visible()
    assert ids(tenant) == before


def test_a_check_shows_its_durations_and_its_badge(own_console: Console, tenant: httpx.Client) -> None:
    check = tenant.post("/api/checks", json={"name": "timed", "language": "python", "code": "print(1)"}).json()
    for count in (1, 2):
        tenant.post(f"/api/checks/{check['id']}/run")
        path = f"/api/checks/{check['id']}/runs"
        ended = lambda count=count: [one["status"] for one in tenant.get(path).json()["items"]] == ["passed"] * count  # noqa: E731, B023
        wait_until(ended, 100, "the run has ended")
    own_console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = own_console.open(f"checks/{check['id']}")
    expect(page.get_by_role("img", name="Wall time of the last 2 runs")).to_be_visible()
    assert page.locator(".badge-picture").evaluate("image => image.complete && image.naturalWidth > 0")
    page.get_by_role("button", name="Copy the badge").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert check["badge_url"] in page.evaluate("navigator.clipboard.readText()")
    assert_sound(own_console)
    tenant.delete(f"/api/checks/{check['id']}")
