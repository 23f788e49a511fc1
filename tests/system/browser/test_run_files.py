"""Files in the console's run form: sources in tabs, data that is dropped or chosen, and large files by their hash."""

import hashlib
import os
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, Request, expect

from tests.system.browser.console import HOSTILE, Console, assert_sound

DROP = """
async (files) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) transfer.items.add(new File([text], name));
  for (const type of ["dragover", "drop"]) {
    document.querySelector("main").dispatchEvent(
      new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer, relatedTarget: null }));
  }
}
"""
PROGRAM = """
import hashlib, helper, os
print(helper.ANSWER, open('data/in.csv').read(), end='')
print(hashlib.sha256(open('large.bin', 'rb').read()).hexdigest(), os.access('large.bin', os.W_OK))
import struct, zlib
def part(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
pixels = b''.join(b'\\0' + bytes((255, 80 + 4 * row, 0)) * 320 for row in range(40))
png = b'\\x89PNG\\r\\n\\x1a\\n' + part(b'IHDR', struct.pack('>IIBBBBB', 320, 40, 8, 2, 0, 0, 0))
open('plot.png', 'wb').write(png + part(b'IDAT', zlib.compress(pixels)) + part(b'IEND', b''))
"""


def drop(page: Page, *files: tuple[str, str]) -> None:
    page.evaluate(DROP, list(files))


def uploads(page: Page) -> list[str]:
    """Return a list that each upload of the page is added to."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request.url)

    page.on("request", note)
    return sent


def run(page: Page) -> None:
    page.keyboard.press("Control+Enter")
    expect(page.locator(".hero")).to_contain_text("Accepted")


def test_a_run_gets_sources_dropped_data_and_a_large_file_once(
    own_console: Console, tenant: httpx.Client, tmp_path: Path
) -> None:
    page = own_console.open("run")
    sent = uploads(page)
    page.locator("#code").fill(PROGRAM)
    page.get_by_role("button", name="New source").click()
    expect(page.get_by_role("button", name="part1.py", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Source part1.py").fill("ANSWER = 42")
    page.get_by_label("Path of file 1").fill("helper.py")
    page.get_by_label("Path of file 1").press("Tab")
    expect(page.get_by_label("Source helper.py")).to_have_value("ANSWER = 42")
    drop(page, ("in.csv", "a,b\n"))
    page.get_by_label("Path of file 2").fill("data/in.csv")
    page.get_by_label("Path of file 2").press("Tab")
    large = os.urandom(3_000_000)
    (tmp_path / "large.bin").write_bytes(large)
    page.get_by_label("Add files").set_input_files(tmp_path / "large.bin")
    expect(page.get_by_label("Path of file 3")).to_have_value("large.bin")
    page.locator(".options summary").click()
    page.get_by_label("Files of the program to keep").fill("*.png")
    for _ in range(2):
        run(page)
        digest = hashlib.sha256(large).hexdigest()
        expect(page.get_by_role("region", name="Standard output")).to_have_text(f"42 a,b\n{digest} False\n")
    assert len(sent) == 1, "the second run sends no bytes"
    assert f"sha256:{digest}" in [item["id"] for item in tenant.get("/api/files").json()["items"]]
    expect(page.locator(".artifacts img")).to_have_count(1)
    page.screenshot(path=tmp_path / "run_files.png", full_page=True)
    assert_sound(own_console)


def test_a_reload_keeps_the_files(console: Console) -> None:
    page = console.open("run")
    drop(page, ("helper.py", "ANSWER = 1\n"), ("data.bin", "secret"))
    expect(page.get_by_label("Path of file 2")).to_have_value("data.bin")
    page.reload()
    expect(page.get_by_label("Path of file 1")).to_have_value("helper.py")
    expect(page.get_by_label("Path of file 2")).to_have_value("data.bin")
    page.locator("#code").fill("import helper; print(helper.ANSWER, open('data.bin').read())")
    run(page)
    expect(page.get_by_role("region", name="Standard output")).to_have_text("1 secret\n")
    page.get_by_role("button", name="helper.py", exact=True).click()
    expect(page.get_by_label("Source helper.py")).to_have_value("ANSWER = 1\n")
    page.get_by_role("button", name="Remove helper.py").click()
    expect(page.get_by_label("Program", exact=True).and_(page.locator("textarea"))).to_be_visible()


def test_a_dropped_file_leaves_the_page_where_it_is_and_its_name_is_text(console: Console) -> None:
    page = console.open("run")
    drop(page, (HOSTILE.replace("/", "_")[:60] + ".py", "x = 1"))
    expect(page.get_by_role("group", name="Sources")).to_contain_text("<script>alert(1)")
    assert page.locator(".tabs script, .tabs img").count() == 0
    drop(page, ("twice.bin", "1"), ("twice.bin", "2"))
    expect(page.get_by_label("Path of file 2")).to_have_value("twice.bin")
    assert page.get_by_label("Path of file 3").count() == 0
    drop(page, *((f"{number}.bin", "x") for number in range(64)))
    expect(page.get_by_role("alert")).to_contain_text("at most 64 files")


def test_a_refused_path_is_named(console: Console) -> None:
    page = console.open("run")
    drop(page, ("in.csv", "a,b\n"))
    page.get_by_label("Path of file 1").fill("../in.csv")
    page.get_by_label("Path of file 1").press("Tab")
    page.get_by_role("button", name="Run Ctrl Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("files[0].path")


def test_the_page_sends_no_file_to_another_host(console: Console, tmp_path: Path) -> None:
    page = console.open("run")
    link: dict[str, Any] = {"url": "https://bucket.example/key", "method": "PUT", "headers": {}, "expires_at": ""}
    page.route("**/api/files", lambda route: route.fulfill(json={"id": "", "exists": False, "upload": link}))
    (tmp_path / "large.bin").write_bytes(os.urandom(100_000))
    page.get_by_label("Add files").set_input_files(tmp_path / "large.bin")
    expect(page.get_by_label("Path of file 1")).to_have_value("large.bin")
    page.get_by_role("button", name="Run Ctrl Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("rustbox files put")
