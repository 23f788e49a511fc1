"""The program of a run: shown, run again, opened in the editor, and shared by a link that is hostile at times."""

import base64
import json
import zlib
from typing import Any

import httpx
from playwright.sync_api import Browser, expect

from tests.system.browser.console import HOSTILE, Console, assert_sound, open_console, shown
from tests.system.local_stack import LocalStack, run

PROGRAM = f"print(input())  # {HOSTILE}\n"
TOO_MANY_BYTES = 2_000_000


def packed(request: Any) -> str:
    """Return what a link has of a request, or of bytes that may be none."""
    compressor = zlib.compressobj(wbits=-15)
    raw = request if isinstance(request, bytes) else json.dumps(request).encode()
    return base64.urlsafe_b64encode(compressor.compress(raw) + compressor.flush()).decode().rstrip("=")


def test_the_program_of_a_run_is_run_again_edited_and_shared(
    own_console: Console, tenant: httpx.Client, browser: Browser, stack: LocalStack
) -> None:
    page = own_console.open("run")
    page.locator("#code").fill(PROGRAM)
    page.get_by_label("Standard input").fill("a line")
    page.keyboard.press("Control+Enter")
    page.get_by_role("link", name="Timeline and details").click()
    program = page.get_by_role("region", name="Program of the run")
    expect(program).to_be_visible()
    assert program.text_content() == shown(PROGRAM)
    assert_sound(own_console)
    first = page.url
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: "#/runs/" in url and url != first)
    expect(page.get_by_role("region", name="Standard output")).to_have_text("a line\n")
    submission = page.url.rpartition("/")[2]
    assert tenant.get(f"/api/result/{submission}/program").json()["request"]["stdin"] == "a line"
    page.get_by_role("button", name="Share").click()
    link = page.get_by_label("Link").input_value()
    assert link.startswith(f"{own_console.url}#/run?share=")
    assert_sound(own_console)
    page.get_by_role("button", name="Open in editor").click()
    expect(page.locator("#code")).to_have_value(PROGRAM)
    expect(page.get_by_label("Standard input")).to_have_value("a line")
    with open_console(browser, stack, api_key=tenant.headers["X-API-Key"]) as other:
        submitted: list[str] = []
        other.page.on("request", lambda request: submitted.append(request.url) if request.method == "POST" else None)
        other.page.goto(link)
        expect(other.page.locator("#code")).to_have_value(PROGRAM)
        notice = other.page.get_by_text("This program came with a link.")
        expect(notice).to_contain_text("does not show: \\x1b, \\x07, U+202E, U+2066.")
        assert_sound(other)
        assert other.page.url == f"{own_console.url}#/run"
        assert submitted == []
        other.page.get_by_role("button", name="Back to my program").click()
        expect(other.page.locator("#code")).not_to_have_value(PROGRAM)


def test_a_program_that_is_not_kept_is_not_shown(own_console: Console, tenant: httpx.Client) -> None:
    page = own_console.open(f"runs/{run(tenant, 'print(1)')['id']}")
    expect(page.get_by_text("It is not kept.")).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_have_count(0)


def test_a_hostile_link_changes_nothing_but_the_form(own_console: Console) -> None:
    page = own_console.open("run")
    code = page.locator("#code")
    code.fill("mine")
    good: dict[str, Any] = {"language": "python", "code": "print(1)"}
    strangers: list[Any] = [None, 7, [], {}, good | {"code": 7}, good | {"language": "<b>"}]
    strangers += [good | {"profile": "root"}, good | {"limits": "x"}, good | {"artifacts": [[]]}]
    wrong: list[str] = [
        "%3Cscript%3Ealert(1)%3C/script%3E",
        packed(b"\xff\xfe"),
        packed(b"{"),
        *map(packed, strangers),
        packed(good)[:-6],
    ]
    for each in wrong:
        own_console.open("runs")
        own_console.open(f"run?share={each}")
        expect(page.get_by_role("alert")).to_contain_text("This link holds no program")
        expect(code).to_have_value("mine")
    own_console.open("runs")
    own_console.open(f"run?share={packed(b' ' * TOO_MANY_BYTES)}")
    expect(page.get_by_role("alert")).to_contain_text("larger than 1 MB")
    smuggled = {"webhook_url": "https://evil.example/", "webhook_secret": "x", "metadata": {"a": "b"}, "args": ["-x"]}
    own_console.open("runs")
    own_console.open(f"run?share={packed(good | {'code': HOSTILE} | smuggled)}")
    expect(code).to_have_value(HOSTILE)
    expect(page.get_by_text("Sent with the program: args.")).to_be_visible()
    page.get_by_text("Copy as curl").click()
    request = page.get_by_role("region", name="Request as curl")
    expect(request).to_contain_text('"-x"')
    expect(request).not_to_contain_text("webhook")
    assert_sound(own_console)
    page.get_by_role("button", name="Leave them out").click()
    expect(request).not_to_contain_text('"-x"')


def test_a_program_too_long_for_a_link_says_so(own_console: Console) -> None:
    page = own_console.open("run")
    digits = "".join(f"{number * number:x}" for number in range(12_000))
    page.locator("#code").fill(f"print('{digits[:60_000]}')")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("alert")).to_contain_text("Share the program as a file.")
