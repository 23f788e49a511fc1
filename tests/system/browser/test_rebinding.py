"""Pages of other sites reach no `make up` in a browser: neither by DNS rebinding nor from their own address.

The browser takes each name below example.com for 127.0.0.1, as after a rebinding. No request leaves this machine.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.choice import whole_but
from tests.local_front import gateway, ok, serving
from tests.system.local_stack import ADMIN_KEY, API_KEY, NAMED_HOST, LocalStack

OTHER = "rebind.example.com"
HOSTS = ("localhost", "127.0.0.1", "console.localhost", NAMED_HOST)
_SEND = """async ([url, options]) => {
  const answer = await fetch(url, options);
  return [answer.status, await answer.text()];
}"""


@contextmanager
def page_at(browser: Browser, url: str) -> Iterator[Page]:
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(url)
        yield page


def send(page: Page, url: str, key: tuple[str, str], body: str | None = None) -> tuple[int, str]:
    """Send a request with a script of the page."""
    method = "GET" if body is None else "POST"
    options = {"method": method, "headers": {"Content-Type": "application/json", key[0]: key[1]}, "body": body}
    status, text = page.evaluate(_SEND, [url, {name: value for name, value in options.items() if value is not None}])
    return status, text


def run_and_list(page: Page) -> list[tuple[int, str]]:
    """Run a program, and list all projects, at the address of the page."""
    program = '{"language": "python", "code": "print(6 * 7)"}'
    return [
        send(page, "/api/submit?wait=true&view=compact", ("X-API-Key", API_KEY), program),
        send(page, "/api/projects", ("X-Admin-Key", ADMIN_KEY)),
    ]


@pytest.mark.parametrize("path", whole_but(["/", "/api/health", "/docs/"], ["/"]))
def test_a_name_that_was_rebound_to_this_machine_is_refused(
    browser: Browser, stack: LocalStack, client: httpx.Client, path: str
) -> None:
    before = client.get("/api/results").json()["items"][:1]
    with page_at(browser, f"http://{OTHER}:{stack.port}{path}") as page:
        for status, text in run_and_list(page):
            assert status == 421
            assert f"refuses requests for the host '{OTHER}:{stack.port}'" in text
            assert "RUSTBOX_HOSTS" in text
        assert "RUSTBOX_HOSTS" in page.inner_text("body")
    assert client.get("/api/results").json()["items"][:1] == before


@pytest.mark.parametrize("host", whole_but(HOSTS, ["localhost", NAMED_HOST]))
def test_the_console_works_at_each_allowed_host(browser: Browser, stack: LocalStack, host: str) -> None:
    with page_at(browser, f"http://{host}:{stack.port}/") as page:
        page.locator("h1").wait_for()
        (run_status, run_text), (list_status, list_text) = run_and_list(page)
        assert (run_status, list_status) == (200, 200), (run_text, list_text)
        assert '"stdout": "42\\n"' in run_text or '"stdout":"42\\n"' in run_text


@pytest.fixture
def ping_url(stack: LocalStack, tenant: httpx.Client) -> Iterator[str]:
    """Make a heartbeat, and return the address of its pings: it needs no key, so any page can send one."""
    heartbeat = {"kind": "heartbeat", "name": "backup", "schedule": "rate(1 day)", "grace_minutes": 60}
    made = tenant.post("/api/checks", json=heartbeat).raise_for_status().json()
    path = f"/api/checks/{made['id']}"
    yield stack.url + tenant.post(f"{path}/ping-url").raise_for_status().json()["url"]
    tenant.delete(path).raise_for_status()


@pytest.mark.parametrize(
    ("host", "count"),
    whole_but([(OTHER, 0), (NAMED_HOST, 1), ("localhost", 1), ("127.0.0.1", 1)], [(OTHER, 0), ("localhost", 1)]),
)
def test_a_page_of_another_site_sends_nothing(
    browser: Browser, tenant: httpx.Client, ping_url: str, host: str, count: int
) -> None:
    """Its script never sees the answer, so the service tells whether it counted the ping."""
    with serving(gateway(ok)) as port, page_at(browser, f"http://{host}:{port}/api/languages") as page:
        send_blindly = "(url) => fetch(url, {method: 'POST', mode: 'no-cors'}).then((answer) => answer.type)"
        assert page.evaluate(send_blindly, ping_url) == "opaque"
    (check,) = [each for each in tenant.get("/api/checks").json()["items"] if each["name"] == "backup"]
    assert len(tenant.get(f"/api/checks/{check['id']}/runs").json()["items"]) == count
    assert tenant.post(ping_url).text == "OK"  # of a job, which is no page
