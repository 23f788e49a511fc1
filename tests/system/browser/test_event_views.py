"""The catalogue of events sends samples, and an endpoint shows what became of its deliveries as pictures."""

import httpx
from playwright.sync_api import expect

from tests.system.browser.console import Console, assert_sound
from tests.system.local_stack import run, wait_until
from tests.system.webhook_inbox import Answer, open_receiver


def test_the_catalogue_has_schemas_and_sends_a_sample_to_readers_of_the_log(
    own_console: Console, tenant: httpx.Client
) -> None:
    types = [one["type"] for one in tenant.get("/api/event-types").json()["items"]]
    page = own_console.open("webhooks")
    page.get_by_role("link", name="Catalogue of events").click()
    expect(page.locator(".event-types summary")).to_have_count(len(types))
    summary = page.locator("summary").filter(has_text="submission.completed:")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Schema of submission.completed")).to_contain_text('"properties"')
    expect(page.get_by_role("region", name="Example of submission.completed")).to_contain_text('"verdict"')
    send = page.get_by_role("button", name="Send a sample of submission.completed")
    if not tenant.get("/api/event-consumers").json()["items"]:
        send.click()
        expect(page.get_by_role("alert")).to_contain_text("rustbox listen")
    poll = {"consumer": "console", "from": "latest", "include": "tests"}
    tenant.get("/api/events/poll", params=poll)
    send.click()
    expect(page.get_by_text("In the event log:")).to_be_visible()
    sample = tenant.get("/api/events/poll", params=poll).json()["items"][-1]
    expect(page.get_by_text(sample["id"], exact=True)).to_be_visible()
    assert_sound(own_console)
    tenant.delete("/api/event-consumers/console")


def test_an_endpoint_shows_deliveries_an_hour_failures_and_latency(own_console: Console, tenant: httpx.Client) -> None:
    answers = iter([Answer(200), Answer(410)])
    with open_receiver(lambda _: next(answers, Answer(410))) as url:
        endpoint = tenant.post("/api/webhooks", json={"url": url}).json()["id"]
        page = own_console.open(f"webhooks/{endpoint}")
        expect(page.get_by_text("No deliveries in the last 24 hours.")).to_be_visible()
        for _ in range(2):
            run(tenant, "print(1)")

        def is_over() -> bool:
            items = tenant.get("/api/deliveries", params={"endpoint_id": endpoint}).json()["items"]
            return len(items) == 2 and all(one["attempts_made"] for one in items)

        wait_until(is_over, 100, "both were sent")
    items = tenant.get("/api/deliveries", params={"endpoint_id": endpoint}).json()["items"]
    states = [one["state"] for one in items]
    page.reload()
    assert (states.count("delivered"), len(states)) == (1, 2)
    count = sum(state in {"retrying", "sending", "pending"} for state in states)
    text = f"The last 24 hours: 1 delivered, {1 - count} failed, {count} open; at most "
    expect(page.get_by_role("img", name=text)).to_be_visible()
    expect(page.get_by_role("img", name="Last answers: half in ")).to_be_visible()
    assert page.locator(".uptime .bar-good").count() == 1
    assert_sound(own_console)
    tenant.delete(f"/api/webhooks/{endpoint}")
