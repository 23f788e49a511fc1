"""`make up` answers for its own hosts, and for pages of them: DNS rebinding needs another name."""

import io
from collections.abc import Iterator

import pytest

from infra.local.console import Console
from infra.local.http.site import AllowedHosts
from infra.local.settings import StartError, read_settings
from tests.local_front import answers, gateway, ok, serving

OUT = io.StringIO()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    names = read_settings({"RUSTBOX_HOSTS": "Box.lan, rustbox,"}).hosts
    with serving(AllowedHosts(names, Console(OUT), gateway(ok))) as number:
        yield number


def answer_to(port: int, *fields: str, target: str = "GET /api/languages HTTP/1.1") -> tuple[int, str]:
    """Return the status and the body of the answer."""
    head = "\r\n".join([target, *fields, "Connection: close", "", ""])
    received = answers(port, head.encode("latin-1")).decode()
    return int(received.split()[1]), received.partition("\r\n\r\n")[2]


ALLOWED = [
    *("localhost", "LocalHost:4096", "localhost.", "console.localhost:4096", "127.0.0.1", "127.0.0.1:", "192.0.2.7:80"),
    *("[::1]:4096", "[2001:db8::7]", "host.docker.internal:4096", "box.lan:4096", "BOX.LAN", "rustbox"),
]
REFUSED = [
    "",
    ":4096",
    "rebind.example.com",
    "rebind.example.com:4096",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "xlocalhost",
    "127.0.0.1 .example.com",
    "localhost:4096:1",
    "user@localhost",
    "localhost/",
    "[::1].example.com",
    "[localhost]",
    "::1",
    "other.box.lan",
    "docker.internal",
    "0x7f.1",  # browsers send what it stands for
    "caf\xe9",
]


@pytest.mark.parametrize("host", ALLOWED)
def test_an_allowed_host_is_answered_and_its_pages_too(port: int, host: str) -> None:
    assert answer_to(port, f"Host: {host}") == (200, "{}")
    assert answer_to(port, "Host: 127.0.0.1", f"Origin: http://{host}") == (200, "{}")


@pytest.mark.parametrize("host", REFUSED)
def test_any_other_host_is_refused_with_the_way_out(port: int, host: str) -> None:
    status, text = answer_to(port, f"Host: {host}")
    assert (status, "add the host's name to RUSTBOX_HOSTS" in text) == (421, True), text
    status, text = answer_to(port, "Host: localhost", f"Origin: https://{host}")
    assert (status, "add the host's name to RUSTBOX_HOSTS" in text) == (403, True), text


@pytest.mark.parametrize("origin", ["null", "", "localhost", "file://", "chrome-extension://abcdef"])
def test_a_page_without_an_allowed_host_is_refused(port: int, origin: str) -> None:
    assert answer_to(port, "Host: localhost", f"Origin: {origin}")[0] == 403


def test_one_allowed_origin_does_not_excuse_another(port: int) -> None:
    fields = ("Origin: http://localhost", "Origin: http://rebind.example.com")
    assert answer_to(port, "Host: localhost", *fields)[0] == 403


@pytest.mark.parametrize(
    "target",
    ["POST /api/submit", "GET /api/health", "GET /no/such/route", "GET /docs/", "OPTIONS /api/submit", "HEAD /"],
)
def test_no_route_is_excepted(port: int, target: str) -> None:
    assert answer_to(port, "Host: rebind.example.com", target=f"{target} HTTP/1.1")[0] == 421
    assert answer_to(port, "Host: ::1", "Origin: null", target=f"{target} HTTP/1.1")[0] == 421
    assert answer_to(port, "Host: localhost", "Origin: null", target=f"{target} HTTP/1.1")[0] == 403


def test_a_refusal_shows_the_host_as_bounded_text(port: int) -> None:
    _, text = answer_to(port, f"Host: \x85\xe9<{'x' * 200}")
    assert "x" * 90 in text
    assert "x" * 110 not in text
    assert "421 for requests for the host '\\x85\\xe9<xxx" in OUT.getvalue()
    assert OUT.getvalue().replace("\n", "").isprintable()


@pytest.mark.parametrize("setting", ["http://box.lan", "box.lan:4096", "*", "*.lan", "box .lan", "-x", "b\xe4r"])
def test_a_setting_that_is_no_host_name_stops_the_start(setting: str) -> None:
    with pytest.raises(StartError, match="RUSTBOX_HOSTS must be host names without port"):
        read_settings({"RUSTBOX_HOSTS": f"rustbox,{setting}"})


def test_production_leaves_the_hosts_to_its_reverse_proxy() -> None:
    public = {"RUSTBOX_PUBLIC_URL": "https://rustbox.example"}
    assert read_settings(public | {"RUSTBOX_HOSTS": ""}, production=True).hosts == frozenset()
    with pytest.raises(StartError, match="RUSTBOX_HOSTS is for `make up`: unset it"):
        read_settings(public | {"RUSTBOX_HOSTS": "box.lan"}, production=True)
