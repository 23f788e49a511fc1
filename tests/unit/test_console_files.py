"""The console's files: what others wrote is unchanged, ours make no HTML from text, and every import has its file."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from functions.console import api as console
from functions.webhooks.endpoints.model import (
    MAX_CONCURRENCY,
    MAX_OUTPUT_BYTES,
    MAX_PER_SECOND,
    MAX_TIMEOUT_SECS,
    BodyFormat,
    SubmissionKind,
)
from functions.webhooks.endpoints.requests import CreateEndpointRequest
from functions.webhooks.vocabulary import FILTERABLE_EVENTS

VENDORED = json.loads((console.FOLDER / "vendored.json").read_text())
OWN = sorted(
    path
    for path in console.FOLDER.iterdir()
    if path.suffix == ".js" and path.name not in {each["file"] for each in VENDORED}
)
MOST_SHELL_BYTES = 25_000
_IMPORT = re.compile(r'^import [^;]*from "([^"]+)";|\bimport\("([^"]+)"\)', re.MULTILINE)


def imported(path: Path) -> list[str]:
    """Return what a module imports, early or late."""
    return [early or late for early, late in _IMPORT.findall(path.read_text())]


@pytest.mark.parametrize("each", VENDORED, ids=lambda each: each["package"])
def test_a_library_is_the_file_of_its_release(each: dict[str, str]) -> None:
    assert hashlib.sha256((console.FOLDER / each["file"]).read_bytes()).hexdigest() == each["sha256"]
    assert each["version"] in each["file"]
    assert (console.FOLDER / each["licence_file"]).stat().st_size > 1000


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_a_module_of_ours_makes_no_code_or_html_from_text_and_knows_no_other_host(path: Path) -> None:
    text = path.read_text()
    for danger in (
        *("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "localStorage"),
    ):
        assert danger not in text
    assert not re.search(r"https?://\w", text)
    for name in imported(path):
        assert name.startswith("./")
        assert (console.FOLDER / name).exists()


def test_the_form_of_an_endpoint_offers_every_event_format_and_kind() -> None:
    text = (console.FOLDER / "endpoint_form.js").read_text()
    offered = set(re.findall(r'^  \["([a-z_.]+)", "', text, re.MULTILINE))
    assert offered == {*FILTERABLE_EVENTS, *BodyFormat, *SubmissionKind}
    settings = set(CreateEndpointRequest.model_fields) - {"secret", "enabled", "api_version"}
    editor = (console.FOLDER / "transform.js").read_text()
    assert settings <= set(re.findall(r"[a-z_]+", text + editor))
    for name, most in {"max_concurrency": MAX_CONCURRENCY, "max_per_second": MAX_PER_SECOND}.items():
        assert re.search(rf'"{name}", \d, {most}\)', text)
    assert f'"timeout_secs", 1, {MAX_TIMEOUT_SECS})' in text
    assert f"{MAX_OUTPUT_BYTES:_}" in text


def test_the_page_with_its_heading_stays_small() -> None:
    page = console.page_of("/")
    named = re.findall(rb'(?:href|src)="console/\w+/([^"]+)"', page)
    assert b"app.js" in named
    files = sum(len(console.compressed(name.decode())) for name in named)
    assert files + len(gzip.compress(page)) <= MOST_SHELL_BYTES


def test_every_module_is_used() -> None:
    used = {name[2:] for path in OWN for name in imported(path)}
    assert {path.name for path in OWN} - used == {console.SHELL, console.START}


_MODULE = re.compile(r'^modules\["([^"]+)"\] \?\?= ', re.MULTILINE)
_USED = re.compile(r'^(?:const .+ = |export default )modules\["([^"]+)"\]', re.MULTILINE)


@pytest.mark.parametrize("name", sorted(console.scripts()))
def test_a_script_has_each_module_once_behind_those_that_it_imports(name: str) -> None:
    script = console.joined(name)
    known = set() if name == console.SHELL else set(_MODULE.findall(console.joined(console.SHELL)))
    head, *parts = re.split(r"^(?=modules\[)", script, flags=re.MULTILINE)
    assert head.startswith("export const modules" if name == console.SHELL else "import { modules } from")
    for part in parts:
        (own,) = _MODULE.findall(part)
        assert own not in known
        known.add(own)
        assert set(_USED.findall(part)) <= known
        assert not re.search(r'^import .* from "\./|^export (?!default modules)', part, re.MULTILINE)
    assert own == name


_FORMS = (
    r'import [^;]+ from "\./[\w.-]+";$',
    r'.*\bimport\("\./[\w.-]+"\)',
    r"export (default )?(async )?(function|class|const) \w+",
    r"export \{ .+ \};$",
    r"import \w+(\.\w+)?$",  # Python of an example
)


def test_every_import_and_export_of_ours_is_of_a_form_that_is_joined() -> None:
    for path in OWN:
        for line in re.findall(r"^(?:import|export)\b.*|.*\bimport\(.*", path.read_text(), re.MULTILINE):
            assert any(re.match(form, line) for form in _FORMS), line


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = (console.FOLDER / console.PAGE).read_text()
    assert "style=" not in page
    assert set(re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)) == {""}
    assert not re.search(r"\son\w+=", page)
