"""The files of a run in the console: pictures of pixels and tables are shown, all others are only saved."""

import hashlib
from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.system.browser.console import HOSTILE, Console, assert_sound, shown
from tests.system.local_stack import run

PROGRAM = f"""
import struct, zlib
def part(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
pixels = b''.join(b'\\0' + bytes((255, 80, 0)) * 40 for _ in range(20))
png = b'\\x89PNG\\r\\n\\x1a\\n' + part(b'IHDR', struct.pack('>IIBBBBB', 40, 20, 8, 2, 0, 0, 0))
open('plot.png', 'wb').write(png + part(b'IDAT', zlib.compress(pixels)) + part(b'IEND', b''))
open('fake.png', 'w').write('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
open('picture.svg', 'w').write('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
open('page.html', 'w').write('<script>alert(1)</script>')
open('table.csv', 'w').write('name,"a ""quoted"" one"\\r\\n' + {HOSTILE!r}.replace(',', ';').replace('"', '') + ',2\\n')
"""


def test_pictures_and_tables_are_shown_and_the_others_are_saved(
    own_console: Console, tenant: httpx.Client, tmp_path: Path
) -> None:
    found = run(tenant, PROGRAM, artifacts="changed")
    assert [file["path"] for file in found["artifacts"]] == [
        *("fake.png", "page.html", "picture.svg", "plot.png", "table.csv"),
    ], found
    page = own_console.open(f"runs/{found['id']}")
    files = page.locator(".artifacts")
    expect(files).to_contain_text("This file is no picture")
    expect(files.locator("img")).to_have_count(1)
    assert files.locator("img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [40, 20]
    expect(files.locator("th").nth(1)).to_have_text('a "quoted" one')
    expect(files.locator("tbody td").first).to_contain_text(shown(HOSTILE.replace(",", ";").replace('"', ""))[:20])
    # A narrow screen shows it as a table too, and breaks no number.
    cell = files.locator("tbody td").last
    assert cell.evaluate("cell => getComputedStyle(cell).display") == "table-cell"
    assert cell.locator("bdi").evaluate("text => getComputedStyle(text).overflowWrap") == "normal"
    assert files.locator("svg, iframe, object, embed").count() == 0
    with page.expect_download() as download:
        files.locator("li", has_text="page.html").get_by_role("button", name="Save").click()
    saved = tmp_path / "page.html"
    download.value.save_as(saved)
    expected = next(file["sha256"] for file in found["artifacts"] if file["path"] == "page.html")
    assert hashlib.sha256(saved.read_bytes()).hexdigest() == expected
    page.screenshot(path=tmp_path / "artifacts.png", full_page=True)
    assert_sound(own_console)
