"""The front bounds the heads, bodies, times and connections of its clients."""

import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from socket import socket
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from infra.local.http import gateway as gateway_module
from infra.local.http import http_protocol, stored_content
from infra.local.invoker import LambdaContext
from tests.local_front import answers, connect, gateway, ok, read_all, read_answer, request, serving
from tests.until import until

GET = request("GET", "/api/languages")
CLOSE = "Connection: close"


class _Seen:
    """Remembers the events of its function."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        self.events.append(event)
        return ok(event, context)


@pytest.fixture
def seen() -> _Seen:
    return _Seen()


@pytest.fixture
def port(seen: _Seen) -> Iterator[int]:
    with serving(gateway(seen)) as number:
        yield number


def status_of(received: bytes) -> int:
    return int(received.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "field",
    [
        b"X-Long: " + b"x" * 65_536 + b"\r\n\r\n",
        b"X-Long: x\r\n" * 101 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(70)) + b"\r\n",
        b"X-Endless: " + b"x" * 1_000_000,
        b"x" * 1_000_000,
    ],
    ids=["one long line", "many lines", "many bytes in lines", "value without an end", "name without an end"],
)
def test_head_that_is_too_large_is_431(port: int, seen: _Seen, field: bytes) -> None:
    with connect(port) as client:
        client.sendall(GET[:-2] + field[:300_000])
        received = read_all(client)
    assert status_of(received) == 431
    assert seen.events == []


def test_address_that_is_too_long_is_414(port: int, seen: _Seen) -> None:
    """Its parameters are read by the thread that serves all connections."""
    assert http_protocol.MAX_ADDRESS_BYTES == 10_240
    longest = "/api/languages?" + "a&" * 5112 + "x"
    assert status_of(answers(port, request("GET", longest, CLOSE))) == 200
    assert status_of(answers(port, request("GET", longest + "x", CLOSE))) == 414
    assert status_of(answers(port, request("GET", "/api/languages?" + "x" * 70_000))) == 414
    assert len(seen.events) == 1


@pytest.mark.parametrize("fields", ["", "Host: x\r\nHost: x\r\n", "Host: x\r\nhost: y\r\n"])
def test_a_request_without_one_host_is_400(port: int, seen: _Seen, fields: str) -> None:
    received = answers(port, f"GET /api/languages HTTP/1.1\r\n{fields}\r\n".encode())
    assert status_of(received) == 400
    assert b"HTTP/1.1 needs one Host" in received
    assert seen.events == []


def test_http_1_0_needs_no_host(port: int) -> None:
    assert status_of(answers(port, b"GET /api/languages HTTP/1.0\r\n\r\n")) == 200


def test_a_host_behind_the_body_is_none(port: int) -> None:
    head = "POST /api/submit HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status_of(answers(port, f"{head}0\r\nHost: x\r\n\r\n".encode())) == 400


def test_address_that_is_none_is_400(port: int) -> None:
    assert status_of(answers(port, request("GET", "http://["))) == 400


@pytest.mark.parametrize("target", ["a:1", "/api/result/x", "http://a/api/result/x"])
@pytest.mark.parametrize("fields", [(), ("Connection: Upgrade", "Upgrade: h2c")])
def test_a_tunnel_is_400(port: int, seen: _Seen, target: str, fields: tuple[str, ...]) -> None:
    assert answers(port, request("CONNECT", target, *fields, body=GET)).startswith(b"HTTP/1.1 400")
    assert seen.events == []


def test_head_at_its_bounds_is_taken(port: int) -> None:
    fields = [f"X-{number}: {'x' * 600}" for number in range(98)]
    assert status_of(answers(port, request("GET", "/api/languages", *fields, CLOSE))) == 200


def test_kept_connection_counts_each_head_anew(port: int) -> None:
    fields = [f"X-{number}: {'x' * 600}" for number in range(90)]
    with connect(port) as client:
        for _ in range(5):
            client.sendall(request("GET", "/api/languages", *fields))
            assert read_answer(client)[0] == 200


def test_chunked_body_may_be_larger_than_a_head(port: int, seen: _Seen) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (3000, b"x" * 3000) for _ in range(100)) + b"0\r\n\r\n"
    sent = request("POST", "/api/submit", "Transfer-Encoding: chunked", "Content-Type: text/plain", CLOSE)
    parts = [chunks[place : place + 1000] for place in range(0, len(chunks), 1000)]
    assert status_of(answers(port, sent, *parts)) == 200
    assert seen.events[0]["body"] == "x" * 300_000


def test_fields_behind_the_body_are_no_headers(port: int, seen: _Seen) -> None:
    sent = request("POST", "/api/submit", "Transfer-Encoding: chunked", "Trailer: X-API-Key", CLOSE)
    assert status_of(answers(port, sent + b"2\r\n{}\r\n0\r\nX-API-Key: a.1\r\n\r\n")) == 200
    assert "x-api-key" not in seen.events[0]["headers"]


def test_fields_behind_the_body_are_bounded(port: int, seen: _Seen) -> None:
    sent = request("POST", "/api/submit", "Transfer-Encoding: chunked")
    assert answers(port, sent + b"2\r\n{}\r\n0\r\n", b"X-Endless: " + b"x" * 400_000)[:12] in {b"HTTP/1.1 431", b""}
    assert seen.events == []


def test_connection_that_sends_no_head_is_closed(seen: _Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_protocol.HEAD_SECS == 10
    monkeypatch.setattr(http_protocol, "HEAD_SECS", 0.05)
    with serving(gateway(seen)) as port, connect(port) as silent, connect(port) as slow, ExitStack() as opened:
        slow.sendall(GET[:-2])
        assert status_of(read_all(slow)) == 408
        assert read_all(silent) == b""
        used = opened.enter_context(connect(port))
        used.sendall(GET)
        assert read_answer(used)[0] == 200
        used.sendall(GET[:5])
        assert status_of(read_all(used)) == 408
    assert len(seen.events) == 1


def test_body_that_takes_too_long_is_408(seen: _Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_protocol.BODY_SECS == 30
    monkeypatch.setattr(http_protocol, "BODY_SECS", 0.05)
    with serving(gateway(seen)) as port:
        assert status_of(answers(port, request("POST", "/api/submit", "Content-Length: 5") + b"ab")) == 408
        assert status_of(answers(port, request("POST", "/api/submit", "Transfer-Encoding: chunked") + b"1\r\n")) == 408
        assert status_of(answers(port, request("POST", "/api/submit", CLOSE, body=b"whole"))) == 200
    assert len(seen.events) == 1


def test_request_under_way_has_no_limit_of_the_head(seen: _Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECS", 0.05)
    monkeypatch.setattr(http_protocol, "BODY_SECS", 0.05)
    may_end = threading.Event()

    def slow(event: dict[str, Any], context: LambdaContext) -> Any:
        may_end.wait(0.5)  # ten times as long
        return ok(event, context)

    with serving(gateway(slow)) as port:
        assert status_of(answers(port, request("POST", "/api/submit", CLOSE, body=b"whole"))) == 200


@pytest.mark.parametrize("expects", [(), ("Expect: 100-continue",)])
def test_length_over_the_limit_is_refused_before_the_body(port: int, seen: _Seen, expects: tuple[str, ...]) -> None:
    with connect(port) as client:
        client.sendall(request("POST", "/api/submit", f"Content-Length: {10 * 1024 * 1024 + 1}", *expects))
        assert read_answer(client) == (413, {"message": "Request Entity Too Large"})
    assert seen.events == []


def test_refused_body_is_not_read_for_ever(port: int) -> None:
    with connect(port) as client:
        client.sendall(request("POST", "/api/submit", f"Content-Length: {1 << 40}"))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(bytes(1_000_000_000))


def test_an_answered_request_keeps_no_body_that_nobody_read(port: int) -> None:
    with connect(port) as client:
        length = http_protocol.MAX_HEAD_BYTES * 1024  # over the limit of a request
        client.sendall(request("POST", "/api/submit", f"Content-Length: {length}") + bytes(60_000))
        assert read_answer(client)[0] == 413
        until(lambda: not [one for one in gc.get_objects() if isinstance(one, RequestResponseCycle) and one.body])


class _Large:
    """Answers with 5 MiB."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _event: dict[str, Any], _context: LambdaContext) -> Any:
        self.calls += 1
        return {"statusCode": 200, "body": "x" * (5 * 1024 * 1024)}


def unread(opened: ExitStack, port: int, *fields: str) -> socket:
    """Ask for an answer and do not read it."""
    client = opened.enter_context(connect(port))
    client.sendall(request("GET", "/api/languages", *fields))
    return client


def read_until_closed(client: socket) -> bytes:
    received = b""
    with suppress(ConnectionResetError):
        while chunk := client.recv(1024 * 1024):
            received += chunk
    return received


@pytest.mark.parametrize("fields", [(), (CLOSE,)])
def test_client_that_does_not_take_its_answer_is_disconnected(
    monkeypatch: pytest.MonkeyPatch, fields: tuple[str, ...]
) -> None:
    assert http_protocol.ANSWER_SECS == 30
    monkeypatch.setattr(http_protocol, "ANSWER_SECS", 0.05)
    large = _Large()
    app = gateway(large)
    with serving(app) as port, ExitStack() as opened:
        client = unread(opened, port, *fields)
        until(lambda: large.calls and not app._requests.holds(""))
        assert len(read_until_closed(client)) < 5 * 1024 * 1024


def test_idle_connection_whose_answer_was_not_taken_makes_room_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_content, "_SOON_SENT_BYTES", 1 << 30)  # else the request would still be under way
    monkeypatch.setattr(http_protocol, "_LINGER_SECS", 0)
    large = _Large()
    app = gateway(large)
    with serving(app, most_connections=1) as port, ExitStack() as opened:
        client = unread(opened, port)
        until(lambda: large.calls and not app._requests.holds(""))
        new = opened.enter_context(connect(port))
        new.sendall(GET)
        assert new.recv(1)
        assert len(read_until_closed(client)) < 5 * 1024 * 1024


def test_client_that_takes_its_answer_late_gets_all_of_it() -> None:
    large = _Large()
    with serving(gateway(large)) as port, ExitStack() as opened:
        client = unread(opened, port, CLOSE)
        until(lambda: large.calls)
        assert len(read_until_closed(client)) > 5 * 1024 * 1024


def test_answers_that_a_project_does_not_take_count_as_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "_MAX_BODY_BYTES_IN_FLIGHT", 20 * 1024 * 1024)
    large = _Large()
    with serving(gateway(large)) as port, ExitStack() as opened:
        for number in range(3):
            unread(opened, port, "X-API-Key: greedy.1")
            until(lambda number=number: large.calls > number)  # type: ignore[misc]
        until(lambda: answers(port, request("GET", "/api/languages", "X-API-Key: greedy.2", CLOSE))[9:12] == b"429")
        assert status_of(answers(port, request("GET", "/api/languages", "X-API-Key: modest.1", CLOSE))) == 200


def test_connection_with_too_many_requests_at_once_is_closed(seen: _Seen) -> None:
    may_end = threading.Event()

    def slow(event: dict[str, Any], context: LambdaContext) -> Any:
        may_end.wait(60)
        return seen(event, context)

    with serving(gateway(slow)) as port, connect(port) as client:
        client.sendall(GET * 10)
        assert read_all(client) == b""
        may_end.set()


def test_a_few_requests_at_once_are_answered_in_order(port: int, seen: _Seen) -> None:
    received = answers(port, GET * 5 + request("GET", "/api/languages", CLOSE))
    assert received.count(b"HTTP/1.1 200") == 6
    assert len(seen.events) == 6


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_upgrade_is_ignored_and_its_body_is_no_request(port: int, seen: _Seen, size: int) -> None:
    """Java's client offers one with each request. The body of one client must not become a request of another."""
    fields, posted = (*UPGRADE, "Content-Type: text/plain"), GET.decode()
    chunked = request("POST", "/api/submit", *fields, "Transfer-Encoding: chunked")
    sent = b"".join([
        request("GET", "/api/languages", *fields),
        request("POST", "/api/submit", *fields, body=GET),
        chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(GET), GET),
        request("POST", "/api/submit", "Content-Type: text/plain", CLOSE, body=b"last"),
    ])  # fmt: skip
    received = answers(port, *(sent[place : place + size] for place in range(0, len(sent), size)))
    assert received.count(b"HTTP/1.1 200") == received.count(b"HTTP/1.1") == 4
    assert [event.get("body") for event in seen.events] == [None, posted, posted, "last"]


def test_idle_connections_make_room_for_new_ones(seen: _Seen) -> None:
    with serving(gateway(seen), most_connections=4) as port, ExitStack() as opened:
        used = opened.enter_context(connect(port))
        used.sendall(GET)
        assert read_answer(used)[0] == 200
        silent = [opened.enter_context(connect(port)) for _ in range(10)]
        new = opened.enter_context(connect(port))
        new.sendall(GET)
        assert read_answer(new)[0] == 200
        assert [read_all(one) for one in silent[:7]] == [b""] * 7
        used.sendall(GET)  # one that has sent a request goes last
        assert read_answer(used)[0] == 200


def test_requests_of_one_project_leave_connections_to_others() -> None:
    may_end = threading.Event()

    def slow(event: dict[str, Any], context: LambdaContext) -> Any:
        if event["headers"].get("x-api-key", "").startswith("greedy"):
            may_end.wait(60)
        return ok(event, context)

    with serving(gateway(slow, 8)) as port, ExitStack() as opened:
        opened.callback(may_end.set)
        for number in range(4):
            opened.enter_context(connect(port)).sendall(request("GET", "/api/languages", f"X-API-Key: greedy.{number}"))
        with connect(port) as fifth:
            fifth.sendall(request("GET", "/api/languages", "X-API-Key: greedy.5"))
            assert read_answer(fifth) == (429, {"message": "Too Many Requests"})
        with connect(port) as other:
            other.sendall(request("GET", "/api/languages", "X-API-Key: modest.1"))
            assert read_answer(other)[0] == 200


def test_half_bodies_of_one_project_leave_bytes_to_others(seen: _Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway_module._MAX_BODY_BYTES_IN_FLIGHT == 128 * 1024 * 1024
    monkeypatch.setattr(gateway_module, "_MAX_BODY_BYTES_IN_FLIGHT", 10_000)
    with serving(gateway(seen)) as port, ExitStack() as opened:
        half = opened.enter_context(connect(port))
        expects = ("Content-Length: 4000", "Expect: 100-continue")
        half.sendall(request("POST", "/api/submit", "X-API-Key: greedy.1", *expects))
        assert half.recv(100).startswith(b"HTTP/1.1 100")
        for sent in (
            request("POST", "/api/submit", "X-API-Key: greedy.2", "Content-Length: 4000"),
            request("POST", "/api/submit", "X-API-Key: greedy.2", "Transfer-Encoding: chunked")
            + b"1000\r\n"
            + b"x" * 4096,
        ):
            with connect(port) as refused:
                refused.sendall(sent)
                assert read_answer(refused) == (429, {"message": "Too Many Requests"})
        with connect(port) as other:
            other.sendall(request("POST", "/api/submit", "X-API-Key: modest.1", body=b"x" * 4000))
            assert read_answer(other)[0] == 200
        half.sendall(b"x" * 4000)
        assert read_answer(half)[0] == 200
