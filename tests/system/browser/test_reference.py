"""The API reference of the site: each operation has a form, which sends to the service that serves the page."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from functions.handlers.api_document import openapi_text
from functions.http.openapi.page import render
from infra.local.http.answers import Receive, Send
from infra.local.http.site import Site
from tests.local_front import serving
from tests.system.browser.console import DESKTOP, HOSTILE, PHONE, Console, assert_sound, open_page
from tests.system.local_stack import API_KEY, LocalStack

ROOT = Path(__file__).parents[3]


def document_of(*paths: str) -> dict[str, Any]:
    """Return the document with some operations only: axe reads the whole page, and that of all takes it minutes."""
    whole = json.loads(openapi_text())
    components = {**whole["components"], "schemas": {}}
    found = {path: whole["paths"][path] for path in paths}
    return {**whole, "paths": found, "webhooks": {}, "components": components}


def built_site(folder: Path, document: dict[str, Any]) -> Path:
    """Write the pages of the reference, as `make site` does."""
    (folder / "api").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Documentation</title>")
    (folder / "reference.html").write_text(render(document, "try_it.js"))
    (folder / "try_it.js").write_bytes((ROOT / "docs" / "try_it.js").read_bytes())
    (folder / "api" / "openapi.json").write_text(json.dumps(document))
    return folder


class Through:
    """An ASGI application that passes requests on to a stack. `seen`: their addresses and headers."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self.seen: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        address = scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        self.seen.append((address, headers))
        status, kind, body = 404, "text/plain", b"nothing here"
        if self._url is not None:
            sent = {name: value for name, value in headers.items() if name in {"x-api-key", "content-type"}}
            content = (await receive()).get("body", b"")
            async with httpx.AsyncClient(base_url=self._url, timeout=60) as client:
                answer = await client.request(scope["method"], address, headers=sent, content=content)
            status, kind, body = answer.status_code, answer.headers["content-type"], answer.content
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def reference(browser: Browser, folder: Path, behind: Through) -> Iterator[Console]:
    with (
        serving(Site(folder, behind)) as port,
        open_page(browser, f"http://127.0.0.1:{port}/docs/reference.html", screen=DESKTOP) as opened,
    ):
        yield opened


def opened_form(shown: Console, operation: str) -> Locator:
    shown.page.goto(f"{shown.url}#{operation}")
    form = shown.page.locator(f"#{operation} form")
    form.wait_for()
    return form


def test_an_operation_is_filled_in_and_sent(browser: Browser, stack: LocalStack, tmp_path: Path) -> None:
    behind = Through(stack.url)
    with reference(browser, built_site(tmp_path, document_of("/api/submit", "/api/result/{id}")), behind) as shown:
        form = opened_form(shown, "submit")
        form.get_by_label("X-API-Key").fill(API_KEY)
        form.get_by_label("wait (query)").fill("true")
        form.get_by_label("Body").fill('{"language": "python", "code": "print(\'it is\', 6 * 7)"}')
        command = shown.page.locator("#submit pre").first
        expect(command).to_contain_text("/api/submit?wait=true")
        expect(command).to_contain_text("print('\\''it is'\\'', 6 * 7)")
        form.get_by_role("button", name="Send").click()
        expect(form.locator("output")).to_contain_text("200")
        expect(form.get_by_role("region")).to_contain_text('"stdout": "it is 42\\n"')
        assert_sound(shown)
        form.get_by_label("Body").fill("{")
        form.get_by_role("button", name="Send").click()
        expect(form.locator("output")).to_have_text("Not sent: the body is no JSON")
        other = opened_form(shown, "getResult")
        expect(other.get_by_label("X-API-Key")).to_have_value(API_KEY)
        other.get_by_role("button", name="Send").click()
        expect(other.locator("output")).to_have_text("")  # the id is required
        other.get_by_label("id (path, required)").fill("../x y?")
        expect(shown.page.locator("#getResult pre").first).to_contain_text("/api/result/..%2Fx%20y%3F")
        assert API_KEY not in shown.page.url + command.inner_text() + shown.page.evaluate(
            "JSON.stringify(sessionStorage)"
        )
    assert API_KEY not in str([address for address, _ in behind.seen])
    assert [headers["x-api-key"] for address, headers in behind.seen if address == "/api/submit?wait=true"] == [API_KEY]


def test_a_site_without_an_api_shows_commands_only(browser: Browser, tmp_path: Path) -> None:
    behind = Through(None)
    with reference(browser, built_site(tmp_path, document_of("/api/submit", "/api/result/{id}")), behind) as shown:
        form = opened_form(shown, "submit")
        expect(form).to_contain_text("No API answers at this address: use the command.")
        expect(form.get_by_role("button")).to_have_count(0)
        expect(form.get_by_label("X-API-Key")).to_have_count(0)
        form.get_by_label("wait (query)").fill("5")
        expect(shown.page.locator("#submit pre").first).to_contain_text("$RUSTBOX_URL/api/submit?wait=5")
        assert_sound(shown)
    assert {address for address, _ in behind.seen} <= {"/api/health", "/favicon.ico"}


def test_texts_of_the_document_and_of_answers_stay_texts(browser: Browser, stack: LocalStack, tmp_path: Path) -> None:
    document = document_of("/api/submit")
    submit = document["paths"]["/api/submit"]["post"]
    submit["summary"] = HOSTILE
    submit["parameters"][1]["schema"]["enum"].append(HOSTILE)
    submit["parameters"].append({"name": HOSTILE, "in": "query", "schema": {"type": "string"}, "description": HOSTILE})
    submit["requestBody"]["content"]["application/json"]["examples"][HOSTILE] = {"value": {HOSTILE: HOSTILE}}
    with reference(browser, built_site(tmp_path, document), Through(stack.url)) as shown:
        form = opened_form(shown, "submit")
        form.get_by_label("X-API-Key").fill(API_KEY)
        form.get_by_label("Example").select_option(HOSTILE)
        expect(form.locator("textarea")).to_have_value(re.compile(re.escape("<script>alert(1)</script>")))
        form.locator("textarea").fill(json.dumps({"language": "python", "code": f"print({HOSTILE!r})"}))
        form.get_by_label("wait (query)").fill("true")
        form.get_by_role("button", name="Send").click()
        expect(form.get_by_role("region")).to_contain_text("<script>alert(1)</script>")
        assert shown.page.locator("h1").count() == 1
        assert shown.page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("screen", [pytest.param(DESKTOP, marks=pytest.mark.whole), PHONE])
def test_every_operation_gets_its_form(browser: Browser, tmp_path: Path, screen: Any) -> None:
    document = json.loads(openapi_text())
    with reference(browser, built_site(tmp_path, document), Through(None)) as shown:
        shown.show_on(screen)
        shown.page.goto(shown.url)
        shown.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        operations = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
        expect(shown.page.locator("form")).to_have_count(len(operations))
        assert not shown.is_too_wide()
