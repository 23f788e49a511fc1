"""A page of a browser holds a key with the right `run`: it runs programs, and can do nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from functions.handlers import api_document
from functions.ids import new_id
from tests.system.browser.console import Console, assert_sound, open_console
from tests.system.local_stack import ADMIN_KEY, LocalStack

CLOSED = sorted(route.key for route in api_document.ROUTES if route.security == "ApiKey" and "run" not in route.rights)
_SEND = """async ([method, path, key, body]) => {
  const headers = {"x-api-key": key, "content-type": "application/json"};
  const answer = await fetch(path, {method, headers, body: method === "GET" || method === "HEAD" ? undefined : body});
  return [answer.status, await answer.text()];
}"""


@pytest.fixture(scope="module")
def run_key(stack: LocalStack) -> str:
    """Issue a key of a project of its own, as an administrator does."""
    stack.add_project("page")
    with stack.client(None) as client:
        body = {"name": "The <b>page</b>", "rights": ["run"], "expires_at": "2099-01-31T12:00:00Z"}
        answer = client.post("/api/projects/page/keys", json=body, headers={"X-Admin-Key": ADMIN_KEY})
        return str(answer.raise_for_status().json()["key"])


@pytest.fixture
def page_of_key(browser: Browser, stack: LocalStack, run_key: str) -> Iterator[Console]:
    with open_console(browser, stack, api_key=run_key) as opened:
        yield opened


def send(page: Page, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    status, text = page.evaluate(_SEND, [method, path, key, json.dumps(body or {})])
    return status, json.loads(text) if text else None


def test_the_console_shows_what_the_key_may_do_and_runs_with_it(page_of_key: Console) -> None:
    page = page_of_key.open()
    foot = page.locator("footer")
    expect(foot).to_contain_text("The <b>page</b>")
    expect(foot).to_contain_text("Its rights: run. It expires on 31")
    expect(page.get_by_role("navigation", name="Views").get_by_role("link")).to_have_text(["Run"])
    assert_sound(page_of_key)
    page.get_by_role("button", name="Run Ctrl Enter").click()
    page_of_key.page.locator(".result").wait_for()
    page_of_key.open("checks")
    expect(page.get_by_role("alert")).to_contain_text("This API key lacks the right read or checks.")


def test_the_page_starts_follows_and_cancels_runs(page_of_key: Console, run_key: str) -> None:
    page = page_of_key.open()
    code = "import time\nprint('begun', flush=True)\ntime.sleep(25)"
    endless = {"language": "python", "code": code, "profile": "agent"}
    status, accepted = send(page, run_key, "POST", "/api/submit", endless)
    assert status == 202
    path = f"/api/result/{accepted['id']}"
    status, part = send(page, run_key, "GET", f"{path}/output?stream=stdout&wait=20")
    assert status == 200, part
    assert send(page, run_key, "POST", f"{path}/cancel")[0] in {200, 202}
    status, result = send(page, run_key, "GET", f"{path}?wait=20")
    assert (status, result["result"]["cause"]) == (200, "cancelled"), result
    status, judged = send(page, run_key, "POST", "/api/judge", {"language": "python", "code": "pass", "cases": [{}]})
    assert status == 200
    assert send(page, run_key, "GET", f"/api/judge/{judged['id']}")[0] == 200


def test_every_other_route_is_closed_to_the_page(page_of_key: Console, run_key: str) -> None:
    page = page_of_key.open()
    assert len(CLOSED) > 40
    for route in CLOSED:
        method, _, path = route.partition(" ")
        for variable in ("id", "name", "sha256", "call", "number"):
            path = path.replace(f"{{{variable}}}", new_id())
        status, body = send(page, run_key, method, path)
        assert status == 403, (route, body)
        assert method == "HEAD" or body["message"].startswith("This API key lacks the right "), route
    for path in ("/api/projects", "/api/projects/page/keys", "/api/admin/runners"):
        assert send(page, run_key, "GET", path)[0] == 401
