"""The console over HTTP: the page and its files, for everybody, at any path, with a strict policy."""

import gzip
import re

import pytest

from functions.console import api as console
from functions.handlers import result
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, call, event, get

_TO_FILE = re.compile(r'(?:src|href)="([^"]+)"')


def linked(page: Answer) -> list[str]:
    """Return the addresses of the page, as they are written."""
    return _TO_FILE.findall(page.raw.decode())


def test_the_page_is_for_everybody_and_allows_nothing_but_its_own_files(aws: Aws) -> None:
    page = get(None, "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "connect-src"), "'self'"),
        "img-src": "'self' blob:",
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'"),
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert page.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("stage", "path", "base"), [("$default", "/", "console/"), ("prod", "/", "console/"), ("prod", "", "prod/console/")]
)
def test_addresses_lead_to_the_files_from_every_path_of_the_page(aws: Aws, stage: str, path: str, base: str) -> None:
    answer = result.handler(event("GET", path, stage=stage), None)
    assert answer["statusCode"] == 200
    found = _TO_FILE.findall(answer["body"])
    assert {"app.js", "base.css"} <= {address.rpartition("/")[2] for address in found}
    assert {address.rpartition("/")[0] for address in found} == {f"{base}{console.console_version()}"}


def test_files_are_cached_for_good_and_compressed_for_clients_that_accept_it(aws: Aws) -> None:
    for address in linked(get(None, "/")):
        plain, packed = (
            get(None, f"/{address}"),
            call(event("GET", f"/{address}", headers={"accept-encoding": "br, gzip"})),
        )
        assert (plain.status, packed.status) == (200, 200)
        assert "immutable" in plain.headers["cache-control"]
        assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
        assert gzip.decompress(packed.raw) == plain.raw
        assert plain.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "vendored.json",
        "LICENSE-htm.txt",
        "..",
        "%2e%2e",
        "app.js/",
        "nothing.js",
        "api.js",
        "preact-11.2.0.js",
    ],
)
def test_nothing_else_of_the_folder_is_served(aws: Aws, name: str) -> None:
    answer = get(None, f"/console/{console.console_version()}/{name}")
    assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_a_file_of_another_version_is_never_mixed_in(aws: Aws) -> None:
    answer = get(None, "/console/0123456789abcdef/app.js")
    assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert "reload" in answer.json["message"]
