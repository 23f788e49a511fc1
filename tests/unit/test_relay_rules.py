"""What a relay lets through: methods, paths and headers of a request, and headers of an answer."""

import base64

import pytest

from sandbox_runtime.network.relay.rules import OpenSecret, RefusedError, Secret, incoming

VALUE = b"tok_0123456789abcdef"


def secret(placement: str = "bearer", parameter: str = "", **rules: tuple[str, ...]) -> OpenSecret:
    return OpenSecret.of(Secret("github", "api.example.com", 443, placement, parameter, **rules), VALUE)


def sent(
    opened: OpenSecret, target: bytes = b"/users", method: bytes = b"GET", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[bytes, dict[bytes, list[bytes]]]:
    path, kept = opened.outgoing(method, target, headers)
    found: dict[bytes, list[bytes]] = {}
    for name, value in kept:
        found.setdefault(name.lower(), []).append(value)
    return path, found


def test_the_secret_is_in_the_place_that_its_project_chose() -> None:
    assert sent(secret())[1][b"authorization"] == [b"Bearer " + VALUE]
    assert sent(secret("header", "X-Api-Key"))[1][b"x-api-key"] == [VALUE]
    assert sent(secret("query", "key"), b"/a?b=1")[0] == b"/a?b=1&key=" + VALUE
    basic = OpenSecret.of(Secret("g", "h.example", 443, "basic"), b"user:password-1")
    assert sent(basic)[1][b"authorization"] == [b"Basic " + base64.b64encode(b"user:password-1")]


@pytest.mark.parametrize("name", [b"Authorization", b"authorization", b"AUTHORIZATION"])
def test_a_header_of_the_program_never_stands_beside_that_of_the_secret(name: bytes) -> None:
    assert sent(secret(), headers=((name, b"mine"),))[1][b"authorization"] == [b"Bearer " + VALUE]


def test_a_header_that_a_host_may_read_as_the_secrets_is_dropped() -> None:
    found = sent(secret("header", "X-Api-Key"), headers=((b"X_Api_Key", b"mine"), (b"x-api_key", b"mine")))[1]
    assert found == {b"host": [b"api.example.com"], b"accept-encoding": [b"identity"], b"x-api-key": [VALUE]}


def test_a_parameter_of_the_program_is_replaced_however_it_is_written() -> None:
    target = b"/a?key=mine&%6bey=mine&k%65y=mine&b=2"
    assert sent(secret("query", "key"), target)[0] == b"/a?b=2&key=" + VALUE


@pytest.mark.parametrize(
    "name",
    [
        *(b"Host", b"Connection", b"Keep-Alive", b"Proxy-Authorization", b"TE", b"Trailer", b"Upgrade", b"Expect"),
        *(b"Accept-Encoding", b"Range", b"If-Range", b"Forwarded", b"X-Forwarded-Host", b"X-Forwarded-For"),
        *(b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override", b"X-Original-URL", b"X-Rewrite-URL"),
    ],
)
def test_headers_of_the_connection_and_overrides_are_dropped(name: bytes) -> None:
    found = sent(secret(), headers=((name, b"evil.example"), (b"Accept", b"*/*")))[1]
    assert b"evil.example" not in [value for values in found.values() for value in values]
    assert found[b"accept"] == [b"*/*"]
    assert found[b"host"] == [b"api.example.com"]


def test_headers_that_connection_names_are_dropped_and_cannot_remove_the_secret() -> None:
    headers = ((b"Connection", b"close, X-Mine, Authorization"), (b"X-Mine", b"1"))
    found = sent(secret(), headers=headers)[1]
    assert b"x-mine" not in found
    assert found[b"authorization"] == [b"Bearer " + VALUE]


@pytest.mark.parametrize(
    "target",
    [
        *(b"http://evil.example/", b"//evil.example/", b"*", b"users", b"", b"/a#b", b"/a\\b", b"/a b", b"/\xff"),
        *(b"/../a", b"/a/../b", b"/a/.", b"/.", b"/..", b"/a/%2e%2e/b", b"/%2E/a", b"/a%2fb", b"/a%5cb", b"/a%00"),
        *(b"/a%2", b"/a%zz", b"/%252e%252e/a", b"/a/..;/b", b"/a/.;x/b", b"/a//b"),
    ],
)
def test_an_address_that_two_servers_may_read_differently_is_refused(target: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        sent(secret(), target)
    assert refused.value.status == 400


def test_ordinary_addresses_pass_as_they_are() -> None:
    for target in (
        b"/",
        b"/a/b.json",
        b"/a?b=c%2Fd&e=../f",
        b"/a/...",
        b"/users/%C3%A9",
        b"/a;v=1/b",
        b"/~me/.well-known",
    ):
        assert sent(secret(), target)[0] == target


@pytest.mark.parametrize("method", [b"POST", b"DELETE", b"get", b"TRACE"])
def test_other_methods_are_refused(method: bytes) -> None:
    with pytest.raises(RefusedError, match="does not allow this method"):
        sent(secret(methods=("GET", "HEAD")), method=method)


def test_connect_is_refused_by_a_secret_without_rules() -> None:
    with pytest.raises(RefusedError, match="no tunnel"):
        sent(secret(), method=b"CONNECT")


@pytest.mark.parametrize("target", [b"/repos/acme", b"/repos/acme/", b"/repos/acme/site?x=/", b"/%72epos/acme"])
def test_a_path_allows_itself_and_all_below_it(target: bytes) -> None:
    assert sent(secret(paths=("/repos/acme",)), target)[0] == target


@pytest.mark.parametrize(
    "target", [b"/", b"/repos", b"/repos/acme2", b"/repos/Acme", b"/x?/repos/acme", b"/repos/other"]
)
def test_other_paths_are_refused(target: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        sent(secret(paths=("/repos/acme",)), target)
    assert refused.value.status == 403


def test_an_answer_has_no_header_of_the_connection_and_no_secret() -> None:
    headers = (
        (b"Content-Type", b"text/plain"),
        (b"Connection", b"X-Hop"),
        (b"X-Hop", b"1"),
        (b"Strict-Transport-Security", b"max-age=1"),
        (b"Set-Cookie", b"t=" + VALUE),
        (b"X-" + VALUE, b"a"),
        (b"Location", b"https://api.example.com/next?key=" + VALUE),
    )
    assert incoming(secret(), headers) == [
        (b"Content-Type", b"text/plain"),
        (b"Set-Cookie", b"t=" + b"*" * len(VALUE)),
        (b"X-" + b"*" * len(VALUE), b"a"),
        (b"Location", b"http://github.secrets.rustbox.internal/next?key=" + b"*" * len(VALUE)),
    ]


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (b"https://api.example.com", b"http://github.secrets.rustbox.internal"),
        (b"HTTPS://API.example.com:443/a", b"http://github.secrets.rustbox.internal/a"),
        (b"https://api.example.com.evil.example/a", b"https://api.example.com.evil.example/a"),
        (b"https://api.example.com:8443/a", b"https://api.example.com:8443/a"),
        (b"http://api.example.com/a", b"http://api.example.com/a"),
        (b"/relative", b"/relative"),
    ],
)
def test_a_redirect_to_the_host_leads_to_the_alias_and_others_stay(location: bytes, shown: bytes) -> None:
    assert incoming(secret(), ((b"Location", location),)) == [(b"Location", shown)]


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate", b"identity, gzip", b"x"])
def test_an_answer_that_cannot_be_read_is_refused(coding: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        incoming(secret(), ((b"Content-Encoding", coding),))
    assert refused.value.status == 502


def test_the_password_of_basic_is_masked_by_itself() -> None:
    basic = OpenSecret.of(Secret("g", "h.example", 443, "basic"), b"user:password-1")
    assert incoming(basic, ((b"X", b"password-1"),)) == [(b"X", b"**********")]


def test_no_text_of_a_secret_has_its_value() -> None:
    assert VALUE.decode() not in repr(secret())


def test_a_value_that_is_too_short_to_be_masked_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        OpenSecret.of(Secret("g", "h.example", 443, "bearer"), b"12345")
