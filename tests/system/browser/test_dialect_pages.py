"""A page of another origin runs programs by Judge0's protocol, as Judge0's IDE does: with a key that may only run."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser

from functions.projects.store import ProjectStore
from tests.local_front import gateway, ok, serving
from tests.system.local_stack import LocalStack, wait_for

_SEND = """([method, url, headers, body]) => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  request.open(method, url);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.onload = () => resolve([request.status, JSON.parse(request.responseText)]);
  request.onerror = () => resolve([0, null]);
  request.send(body);
})"""


@dataclass(frozen=True)
class Pages:
    """`listed` and `other`: addresses of pages, of which the operator lists the first."""

    stack: LocalStack
    listed: str
    other: str
    key: str


@pytest.fixture(scope="module")
def pages(small_stack: Callable[..., LocalStack]) -> Iterator[Pages]:
    with serving(gateway(ok)) as listed, serving(gateway(ok)) as other:
        local = small_stack(RUSTBOX_PARAM_DialectOrigins=f"http://127.0.0.1:{listed}")
        local.start()
        local.add_project("ide")
        key = ProjectStore("rustbox-local-ProjectsTable", local.aws("dynamodb")).issue_key("ide", rights=("run",))
        urls = [f"http://127.0.0.1:{port}/api/languages" for port in (listed, other)]
        yield Pages(local, urls[0], urls[1], key)


def test_a_page_of_a_listed_origin_runs_a_program(browser: Browser, pages: Pages) -> None:
    url, sent = f"{pages.stack.url}/judge0", {"Content-Type": "application/json", "X-RapidAPI-Key": pages.key}
    program = '{"language_id": 71, "source_code": "cHJpbnQoNiAqIDcp", "redirect_stderr_to_stdout": true}'
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(pages.listed)

        def send(method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any]:
            status, found = page.evaluate(_SEND, [method, url + path, headers, body])
            return status, found

        status, languages = send("GET", f"/key/{pages.key}/languages")
        assert (status, {one["id"] for one in languages} >= {71, 100}) == (200, True)
        status, created = send("POST", "/submissions?base64_encoded=true&wait=false", program, **sent)
        assert status == 201, created
        for path, headers in (
            (f"/submissions/{created['token']}", {"X-RapidAPI-Key": pages.key}),
            (f"/key/{pages.key}/submissions/{created['token']}", {}),
        ):

            def ended(path: str = path, headers: dict[str, str] = headers) -> Any:
                status, shown = send("GET", path, **headers)
                assert status == 200, shown
                return shown if shown["status"]["id"] > 2 else None

            assert wait_for(ended, 120, "the program has ended")["stdout"] == "42\n"
        assert send("POST", "/submissions", program)[0] == 401  # a page reads refusals too
        assert page.evaluate(_SEND, ["GET", f"{pages.stack.url}/api/languages", {}, None]) == [0, None]
    assert pages.key not in pages.stack.told()


def test_a_page_of_another_origin_reads_nothing_and_its_programs_do_not_run(browser: Browser, pages: Pages) -> None:
    def lines(request: str) -> list[str]:
        return [line for line in pages.stack.told().splitlines() if f" {request} /judge0/submissions " in line]

    sent, posted = {"Content-Type": "application/json", "X-RapidAPI-Key": pages.key}, lines("POST")
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(pages.other)
        url, program = f"{pages.stack.url}/judge0", '{"language_id": 71, "source_code": "print(1)"}'
        assert page.evaluate(_SEND, ["POST", f"{url}/submissions", sent, program]) == [0, None]
        assert page.evaluate(_SEND, ["GET", f"{url}/key/{pages.key}/languages", {}, None]) == [0, None]
    assert [line for line in lines("OPTIONS") if " 404 " in line] != []
    assert lines("POST") == posted
