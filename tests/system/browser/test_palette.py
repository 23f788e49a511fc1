"""Ctrl+K leads to everything by the keyboard; ids and outputs are copied whole; colours are a choice; lists refresh."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.system.browser.console import DESKTOP, HOSTILE, Console, assert_sound, shown
from tests.system.local_stack import run


def open_palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Go to")).to_be_focused()


def test_the_palette_leads_to_views_checks_endpoints_actions_and_ids(
    own_console: Console, tenant: httpx.Client
) -> None:
    body = {"name": HOSTILE[:80], "language": "python", "code": "print(1)"}
    check = tenant.post("/api/checks", json=body).json()["id"]
    endpoint = tenant.post("/api/webhooks", json={"url": "http://127.0.0.1:9/palette"}).json()["id"]
    submission = run(tenant, "print(1)")["id"]
    page = own_console.open("run")
    dialog = page.get_by_role("dialog", name="Go to")
    page.locator("#code").focus()
    for words, place in {
        "view webhooks": "webhooks",
        "9/palette": f"webhooks/{endpoint}",
        "check onerror": f"checks/{check}",
        "action new check": "checks/new",
        f" {submission} ": f"runs/{submission}",
    }.items():
        open_palette(page)
        page.keyboard.insert_text(words)
        expect(dialog.get_by_role("option")).to_have_count(1)
        if "onerror" in words:
            expect(dialog.get_by_role("option")).to_contain_text(shown(HOSTILE[:80]))
            assert_sound(own_console)
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        page.wait_for_url(f"**/#/{place}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    open_palette(page)
    for name in ("9/palette", "onerror"):  # the last that come
        expect(dialog.get_by_role("option").filter(has_text=name)).to_be_visible()
    page.keyboard.press("ArrowUp")  # from the first to the last
    expect(dialog.get_by_role("option").last).to_have_attribute("aria-selected", "true")
    page.keyboard.insert_text("zzz")
    expect(dialog).to_contain_text("Nothing has these words.")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Go to").click()
    expect(page.get_by_role("combobox", name="Go to")).to_be_focused()
    page.keyboard.insert_text(f"{submission[:-4]}0000")
    dialog.get_by_role("option").click()
    expect(dialog).to_contain_text("Nothing of this project has this id.")
    tenant.delete(f"/api/checks/{check}")
    tenant.delete(f"/api/webhooks/{endpoint}")


def test_a_chosen_colour_stays_in_the_tab(console: Console) -> None:
    page = console.open("run")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_label("Colours").select_option("dark")
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    expect(page.get_by_label("Colours")).to_have_value("dark")
    assert page.evaluate(background) == dark
    assert console.accessibility_problems() == []
    open_palette(page)
    page.keyboard.insert_text("colours system")
    page.keyboard.press("Enter")
    assert page.evaluate(background) == light
    page.reload()
    assert page.evaluate(background) == light


def test_outputs_and_ids_are_copied_whole(console: Console, client: httpx.Client) -> None:
    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = f"{HOSTILE}\n" + "x" * 30_000
    submission = run(client, f"import sys\nsys.stdout.write({text!a})")["id"]
    page = console.open(f"runs/{submission}")
    page.get_by_role("button", name="Copy Standard output").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == text
    page.get_by_role("button", name="Copy the id").click()
    page.wait_for_function(f"navigator.clipboard.readText().then((text) => text === '{submission}')")


@pytest.mark.parametrize("place", ["checks", "webhooks"])
def test_a_list_refreshes_itself_in_a_seen_tab_only(own_console: Console, tenant: httpx.Client, place: str) -> None:
    page = own_console.page
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.isHidden ?? false})")
    page.clock.install()
    own_console.open(place)
    empty = page.get_by_text("No checks yet" if place == "checks" else "No endpoints yet")
    expect(empty.or_(page.locator(".cards"))).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    body = {"name": "came later", "language": "python", "code": "1", "url": "http://127.0.0.1:9/later"}
    fields = ("name", "language", "code") if place == "checks" else ("url",)
    made = tenant.post(f"/api/{place}", json={name: body[name] for name in fields}).json()["id"]
    path = f"/api/{place}?limit"
    page.evaluate("window.isHidden = true")
    page.clock.run_for(120_000)
    page.wait_for_timeout(300)
    assert [url for url in asked if path in url] == []
    page.evaluate("window.isHidden = false")
    page.clock.run_for(31_000)
    expect(page.locator(f"a[href='#/{place}/{made}']")).to_be_visible()
    assert len([url for url in asked if path in url]) in {1, 2}  # two if a turn came at the same moment
    tenant.delete(f"/api/{place}/{made}")


def test_what_evidence_and_schedules_are_is_told(console: Console) -> None:
    page = console.open("checks/new")
    page.get_by_text("How schedules are written").click()
    expect(page.get_by_text("every five minutes")).to_be_visible()
    console.show_on(DESKTOP)
    assert console.accessibility_problems() == []
