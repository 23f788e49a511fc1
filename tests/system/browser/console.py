"""The console in a browser. Each test also shows that the page breaks no policy, and asks no other host."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize

from tests.choice import IS_QUICK
from tests.system.local_stack import API_KEY, LocalStack

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
window.alert = () => window.violations.push("alert");
"""
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)></pre></body><h1>broken out</h1>"
    "\x1b[31mred\x1b]0;title\x07\u202egnirts\u2066{{7*7}}${alert(1)}&lt;b&gt;"
)
"""Breaks out of a page that shows it as anything but text."""
PATIENCE_MS = 30_000
CHROMIUM = Path("/usr/bin/chromium-headless-shell")
"""Debian's, which `make system` installs. Playwright's own browser would be a download from another host, and Debian's
package chromium takes four times the CPU time to open a page."""


@dataclass(frozen=True)
class Screen:
    """A size of the window, and the colours that its user prefers."""

    width: int
    height: int
    scheme: Literal["light", "dark"]

    @property
    def viewport(self) -> ViewportSize:
        """The size, as Playwright wants it."""
        return {"width": self.width, "height": self.height}


DESKTOP, PHONE = Screen(1360, 900, "light"), Screen(390, 844, "dark")
_SERIOUS = ("serious", "critical")
_LOOKED_AT: set[tuple[str, str]] = set()


def shown(text: str) -> str:
    """Return a text as the console shows it: characters that nobody sees are named."""
    names = {"\x1b": r"\x1b", "\x07": r"\x07", "\u202e": "U+202E", "\u2066": "U+2066"}
    return "".join(names.get(character, character) for character in text)


@dataclass
class Console:
    """A page of the console. `problems`: errors of scripts and policies, and requests to other hosts."""

    page: Page
    url: str
    screen: Screen
    problems: list[str] = field(default_factory=list)

    def open(self, place: str = "") -> Page:
        """Open a view, such as `runs/<id>`, and wait for its heading."""
        self.page.goto(f"{self.url}#/{place}")
        self.page.locator("h1").wait_for()
        return self.page

    def note_message(self, message: ConsoleMessage) -> None:
        """Keep errors and warnings, but for those of answers with a status of 400 or more."""
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.problems.append(message.text)

    def note_request(self, request: Request) -> None:
        """Keep requests to other hosts. A blob is made by the page itself."""
        if urlsplit(request.url.removeprefix("blob:")).netloc != urlsplit(self.url).netloc:
            self.problems.append(request.url)

    def accessibility_problems(self) -> list[str]:
        """Return what axe finds that is serious."""
        if self.page.evaluate("!window.axe"):  # compiling it takes as long as a run
            self.page.evaluate(Axe().axe_script)
        found: list[dict[str, Any]] = self.page.evaluate(
            "axe.run({resultTypes: ['violations']}).then((results) => results.violations)"
        )
        return [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for each in found
            if each["impact"] in _SERIOUS
            for node in each["nodes"]
        ]

    def show_on(self, screen: Screen) -> None:
        """Show the page on another screen."""
        self.page.set_viewport_size(screen.viewport)
        self.page.emulate_media(color_scheme=screen.scheme)

    def is_too_wide(self) -> bool:
        """Tell whether a reader must scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def assert_sound(console: Console) -> None:
    """On a desktop and on a phone, nobody is shut out, and nobody scrolls sideways.

    axe takes most of the time: `make test` lets it look at each view once, on the console's own screen.
    """
    address = urlsplit(console.page.url)
    view = address.path, address.fragment.strip("/").partition("/")[0].partition("?")[0]
    is_new = view not in _LOOKED_AT
    _LOOKED_AT.add(view)
    for screen in (DESKTOP, PHONE):
        console.show_on(screen)
        if not IS_QUICK or (is_new and screen == console.screen):
            assert console.accessibility_problems() == [], screen
        assert not console.is_too_wide(), screen
    console.show_on(console.screen)


@contextmanager
def open_console(
    browser: Browser, stack: LocalStack, *, api_key: str | None = API_KEY, screen: Screen = DESKTOP
) -> Iterator[Console]:
    """Open a page of a signed-in user, or with `api_key` None of one who is not. Fails at the end on any problem."""
    script = f"sessionStorage.getItem('rustbox.key') ?? sessionStorage.setItem('rustbox.key', '{api_key}')"
    with open_page(browser, f"{stack.url}/", screen=screen, script="" if api_key is None else script) as console:
        yield console


@contextmanager
def open_page(browser: Browser, url: str, *, screen: Screen, script: str = "") -> Iterator[Console]:
    """Open a page, in which a script runs first. Fails at the end on any problem."""
    context = browser.new_context(
        viewport=screen.viewport,
        color_scheme=screen.scheme,
        has_touch=screen == PHONE,
        reduced_motion="reduce",  # axe measures contrasts of one moment
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_WATCH)
    if script:
        context.add_init_script(script)
    page = context.new_page()
    console = Console(page, url, screen)
    page.on("console", console.note_message)
    page.on("pageerror", lambda error: console.problems.append(str(error)))
    page.on("request", console.note_request)
    try:
        yield console
        assert console.problems + page.evaluate("window.violations ?? []") == []
    finally:
        context.close()
