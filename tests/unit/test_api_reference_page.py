"""The API reference at /docs: complete, without dead links, and safe whatever the document holds."""

import base64
import hashlib
import html
import json
import re
import shlex
from html.parser import HTMLParser
from typing import Any

from functions.handlers.api_document import openapi_text, reference_page
from functions.http.openapi.page import HEADERS, render

DOCUMENT = json.loads(openapi_text())
_VOID = {"meta", "!doctype"}


class Page(HTMLParser):
    """Reads a page; `problems` names tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.style = ""
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        self.words += data


def test_the_reference_page_shows_every_operation_event_and_model() -> None:
    page = Page(reference_page())
    operations = [each["operationId"] for methods in DOCUMENT["paths"].values() for each in methods.values()]
    events = [methods["post"]["operationId"] for methods in DOCUMENT["webhooks"].values()]
    models = [f"model-{name}" for name in DOCUMENT["components"]["schemas"]]
    assert {*operations, *events, *models} <= set(page.ids)
    for path in DOCUMENT["paths"]:
        assert path in page.words
    for tag in DOCUMENT["tags"]:
        assert tag["description"] in page.words


def commands(page: str) -> dict[str, list[str]]:
    """Words of the curl command of each operation, as a shell reads them."""
    found = re.findall(r'<div id="([^"]+)">(?:(?!<div id=).)*?<pre>(curl .*?)</pre>', page, re.DOTALL)
    return {operation: shlex.split(html.unescape(command)) for operation, command in found}


def test_every_operation_has_a_command_that_a_shell_reads() -> None:
    found = commands(reference_page())
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            words = found[operation["operationId"]]
            address = next(word for word in words if word.startswith("$RUSTBOX_URL"))
            assert address.startswith("$RUSTBOX_URL" + path.partition("{")[0])
            assert not set("{}") & set(address)
            assert ("-X" in words) == (method not in {"get", "head"})
            if "-d" in words:
                (content,) = operation["requestBody"]["content"].values()
                values = [example["value"] for example in content["examples"].values()]
                assert json.loads(words[words.index("-d") + 1]) in values
    assert "X-API-Key: $RUSTBOX_API_KEY" in found["submit"]
    assert "X-Admin-Key: $RUSTBOX_ADMIN_KEY" in found["createProject"]
    assert not [word for word in found["getLanguages"] if "KEY" in word]


def test_every_link_leads_to_a_part_of_the_page_or_to_the_document() -> None:
    page = Page(reference_page())
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if not link.startswith("#")} == {"api/openapi.json"}
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)


def test_the_reference_page_is_well_formed_and_has_no_script() -> None:
    page = Page(reference_page())
    assert (page.problems, page.open) == ([], [])
    assert not page.tags & {"script", "iframe", "img", "link", "form", "object"}
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]


def test_only_the_page_of_the_site_has_its_script() -> None:
    page = render(DOCUMENT, "try_it.js")
    assert page.count("<script") == page.count('<script type="module" src="try_it.js"></script></head>') == 1


def test_the_policy_allows_its_style_sheet_and_nothing_else() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";"))
    style = base64.b64encode(hashlib.sha256(Page(reference_page()).style.encode()).digest()).decode()
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == f"'sha256-{style}'"
    assert set(policy.values()) == {"'none'", policy["style-src"]}


def _hostile(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: value if name == "$ref" else _hostile(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_hostile(each) for each in part]
    return f"{part}<script>alert(1)</script>\"'" if isinstance(part, str) else part


def test_texts_of_the_document_stay_texts() -> None:
    document = {**DOCUMENT, "info": _hostile(DOCUMENT["info"])}
    submit = DOCUMENT["paths"]["/api/submit"]["post"]
    for name in ("summary", "parameters", "requestBody", "responses", "operationId"):
        document = {**document, "paths": {"/<script>": {"post": {**submit, name: _hostile(submit[name])}}}}
        page = Page(render(document))
        assert (page.problems, page.open, "script" in page.tags) == ([], [], False)
    schema = _hostile(DOCUMENT["components"]["schemas"]["SubmitRequest"])
    components = {**DOCUMENT["components"], "schemas": {"<script>": schema}}
    assert "script" not in Page(render({**DOCUMENT, "components": components})).tags


def test_optional_fields_have_no_null_as_their_default() -> None:
    assert not re.search(r'"default": ?null', openapi_text())


def test_every_operation_has_one_of_the_described_tags() -> None:
    names = {tag["name"] for tag in DOCUMENT["tags"]}
    used = [tuple(each["tags"]) for methods in DOCUMENT["paths"].values() for each in methods.values()]
    assert all(len(tags) == 1 for tags in used)
    assert {tags[0] for tags in used} == names
