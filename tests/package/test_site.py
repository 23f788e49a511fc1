"""`make site` builds every page without a warning, no link is broken, and a browser searches and copies."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect, sync_playwright

from infra.local.http.site import Site
from tests.local_front import gateway, ok, serving
from tests.system.browser.console import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
_ELSEWHERE = re.compile(r"[a-z]+:|/")
"""Another host, or another path of the service, such as the console."""


class Page(HTMLParser):
    """The links of a page to files of the site, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value and not _ELSEWHERE.match(value):
                self.links.append(value)
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


def broken(site: Path) -> list[str]:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in page.links:
            name, _, anchor = unquote(link).partition("#")
            name = name.partition("?")[0]
            target = (path.parent / name).resolve() if name else path
            if not target.is_file() or (target in pages and anchor not in pages[target].anchors):
                found.append(f"{path.relative_to(site.resolve())}: {link}")
    return found


@pytest.mark.timeout(600)
def test_the_site_has_every_page_and_no_broken_link() -> None:
    done = subprocess.run(
        ["/usr/bin/bash", "infra/setup/site.sh"], cwd=ROOT, capture_output=True, text=True, timeout=540, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = ROOT / ".build" / "site"
    expected = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} >= expected | {"reference", "search"}
    assert broken(site) == []


def test_the_site_searches_guides_before_decisions_and_copies_commands() -> None:
    site = ROOT / ".build" / "site"
    with (
        serving(Site(site, gateway(ok))) as port,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
    ):
        page = browser.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if "Security Policy" in message.text else None)
        page.on(
            "response",
            lambda answer: faults.append(answer.url) if answer.status >= 400 and "/docs/" in answer.url else None,
        )
        page.goto(f"http://127.0.0.1:{port}/docs/")
        doors = page.locator("article h2").all_inner_texts()
        assert [door.rstrip("#¶") for door in doors] == [
            "Use it",
            "Judge with it",
            "Check with it",
            "Run it",
            "API reference",
        ]
        page.goto(f"http://127.0.0.1:{port}/docs/search.html?q=quota")
        expect(page.locator("ul.search li").nth(3)).to_be_visible()
        expect(page.locator("#search-results p").first).to_contain_text("found")
        links = page.locator("ul.search li a").evaluate_all("all => all.map(link => link.getAttribute('href'))")
        is_decision = ["adr/" in link for link in links]
        assert any(is_decision)
        assert is_decision == sorted(is_decision)
        page.goto(f"http://127.0.0.1:{port}/docs/api.html")
        expect(page.locator("button.copybtn").first).to_be_attached()
        assert faults == []


def test_broken_links_of_a_site_are_found(tmp_path: Path) -> None:
    (tmp_path / "adr").mkdir()
    (tmp_path / "a.html").write_text(
        '<h1 id="one">x</h1><a href="#one"></a><a href="#two"></a><a href="adr/b.html#three"></a><img src="c.png">'
        '<a href="https://example.com/none"></a><a href="/"></a><link href="d.css?v=1">'
    )
    (tmp_path / "adr" / "b.html").write_text('<a href="../a.html#one"></a><a href="../none.html"></a>')
    (tmp_path / "d.css").touch()
    assert sorted(broken(tmp_path)) == [
        "a.html: #two",
        "a.html: adr/b.html#three",
        "a.html: c.png",
        "adr/b.html: ../none.html",
    ]
