"""One headless Chromium for the tests of the console, over the stack of the session."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.system.browser.console import CHROMIUM, PATIENCE_MS, PHONE, Console, open_console
from tests.system.local_stack import LocalStack

_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP *.example.com 127.0.0.1",
)


# Not for the whole session: while Playwright runs, other tests of this process cannot run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    assert CHROMIUM.exists(), "run `make system`: the console's tests need the package chromium-headless-shell"
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def console(browser: Browser, stack: LocalStack) -> Iterator[Console]:
    """Open the console of a signed-in user, as wide as a desktop."""
    with open_console(browser, stack) as opened:
        yield opened


@pytest.fixture
def phone(browser: Browser, stack: LocalStack) -> Iterator[Console]:
    """Open the console on a phone in dark colours."""
    with open_console(browser, stack, screen=PHONE) as opened:
        yield opened


@pytest.fixture(scope="package")
def tenant(stack: LocalStack) -> Iterator[httpx.Client]:
    """Give a client of a project of its own, so that lists hold what these tests made."""
    with stack.client(stack.add_project("console")) as client:
        yield client


@pytest.fixture
def own_console(browser: Browser, stack: LocalStack, tenant: httpx.Client) -> Iterator[Console]:
    """Open the console of that project on a phone, where its user has the least room; `assert_sound` looks at both."""
    with open_console(browser, stack, api_key=tenant.headers["X-API-Key"], screen=PHONE) as opened:
        yield opened
