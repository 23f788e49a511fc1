"""One connection of a program through the relay, over real TLS, to hosts that behave well and badly."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_runtime.network.relay import exchange
from sandbox_runtime.network.relay.rules import Secret
from tests.jail.network.targets import HOST, certificate
from tests.relay_hosts import VALUE, Relayed, Serve, read_head, read_to_end, relayed
from tests.until import until

type Contexts = tuple[ssl.SSLContext, ssl.SSLContext]

SECRET = Secret("github", "api.test.example", 443, "bearer")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    authority, served = certificate(tmp_path_factory.mktemp("relay"), SECRET.host)
    return served, ssl.create_default_context(cadata=authority)


def always(*answers: bytes) -> Serve:
    """Serve one of these answers for each request, then end."""

    def serve(stream: ssl.SSLSocket) -> None:
        for answer in answers:
            if not read_head(stream):
                return
            stream.sendall(answer)

    return serve


def get(path: str = "/", *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join(
        (f"{method} {path} HTTP/1.1", "Host: github.secrets.rustbox.internal", *headers, "", "")
    ).encode()


def ask(connected: Relayed, request: bytes) -> bytes:
    """Send a request, and return all that comes until the end."""
    with connected.connect() as program:
        program.sendall(request)
        program.shutdown(socket.SHUT_WR)
        return read_to_end(program)


def test_a_host_gets_the_secret_and_the_program_a_masked_answer(contexts: Contexts) -> None:
    heads = []

    def serve(stream: ssl.SSLSocket) -> None:
        while head := read_head(stream):
            heads.append(head)
            body = b"you sent " + head
            stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx-echo: %s\r\n\r\n" % (len(body), VALUE) + body)

    with relayed(serve, contexts, SECRET) as connected:
        answer = ask(connected, get("/a?b=c", "Authorization: Bearer mine"))
    assert b"authorization: Bearer " + VALUE in heads[0]
    assert heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\nhost: api.test.example\r\n")
    assert b"mine" not in heads[0]
    assert VALUE not in answer
    assert answer.count(b"*" * len(VALUE)) == 2
    assert (connected.use.requests, connected.use.refused, connected.use.last_status) == (1, 0, 200)


def test_one_connection_serves_many_requests_to_one_connection_of_the_host(contexts: Contexts) -> None:
    accepted = []

    def serve(stream: ssl.SSLSocket) -> None:
        accepted.append(stream)
        while read_head(stream):
            stream.sendall(OK)

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        client = http.client.HTTPConnection("github.secrets.rustbox.internal")
        client.sock = program
        for number in range(100):
            client.request("GET", f"/{number}")
            assert client.getresponse().read() == b"ok"
    assert len(accepted) == 1
    assert connected.use.requests == 100


def test_requests_that_come_at_once_are_answered_in_order(contexts: Contexts) -> None:
    def serve(stream: ssl.SSLSocket) -> None:
        while head := read_head(stream):
            stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + head[5:7])

    with relayed(serve, contexts, SECRET) as connected:
        answer = ask(connected, get("/aa") + get("/bb") + get("/cc"))
    assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"aa", b"bb", b"cc"]


def test_pieces_of_an_answer_arrive_when_the_host_sends_them(contexts: Contexts) -> None:
    go_on = threading.Semaphore(0)

    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(3):
            stream.sendall(b"f\r\ndata: piece %d\n\n\r\n" % number)
            assert go_on.acquire(timeout=20)
        stream.sendall(b"0\r\nx-trailer: 1\r\n\r\n")

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get("/events"))
        seen = b""
        for number in range(3):
            while b"data: piece %d" % number not in seen:
                seen += program.recv(65_536)
            go_on.release()
        while not seen.endswith(b"0\r\n\r\n"):
            seen += program.recv(65_536)
    assert b"x-trailer" not in seen


def test_60_mb_stream_to_the_host_and_back_at_once(contexts: Contexts) -> None:
    """The relay holds some chunks of each way, and neither way waits for the end of the other one."""
    size, piece = 60 << 20, bytes(1 << 16)

    def serve(stream: ssl.SSLSocket) -> None:
        received = len(read_head(stream).partition(b"\r\n\r\n")[2])
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece) - 1):
            stream.sendall(piece)
        while received < size:
            received += len(stream.recv(1 << 16))
        stream.sendall(piece)

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get("/", f"Content-Length: {size}", method="PUT"))

        def upload() -> None:
            for _ in range(size // len(piece)):
                program.sendall(piece)

        sending = threading.Thread(target=upload)
        sending.start()
        received = b""
        while b"\r\n\r\n" not in received:
            received += program.recv(1 << 16)
        left = size - len(received.partition(b"\r\n\r\n")[2])
        while left:
            part = program.recv(1 << 18)
            assert part
            left -= len(part)
        sending.join(60)
        assert not sending.is_alive()


def test_an_answer_before_the_end_of_the_body_arrives(contexts: Contexts) -> None:
    refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig"
    with relayed(always(refusal), contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get("/", "Content-Length: 1000000", method="POST") + b"x" * 1000)
        assert read_to_end(program).endswith(b"big")


def test_bodies_with_a_length_and_in_chunks_arrive_whole(contexts: Contexts) -> None:
    bodies = []

    def serve(stream: ssl.SSLSocket) -> None:
        head = read_head(stream)
        while b"hello" not in head or (b"chunked" in head and not head.endswith(b"0\r\n\r\n")):
            head += stream.recv(65_536)
        bodies.append(head)
        stream.sendall(OK)

    with relayed(serve, contexts, SECRET) as connected:
        ask(connected, get("/", "Content-Length: 5", method="POST") + b"hello")
        chunks = b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"
        ask(connected, get("/", "Transfer-Encoding: chunked", method="POST") + chunks)
    assert bodies[0].endswith(b"\r\n\r\nhello")
    assert b"X-Trailer" not in bodies[1]
    assert bodies[1].endswith(b"5\r\nhello\r\n0\r\n\r\n")


def test_a_client_that_waits_for_100_continue_gets_it(contexts: Contexts) -> None:
    def serve(stream: ssl.SSLSocket) -> None:
        head = read_head(stream)
        assert b"xpect" not in head
        while not head.endswith(b"hello"):
            head += stream.recv(65_536)
        stream.sendall(OK)

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert program.recv(65_536).startswith(b"HTTP/1.1 100")
        program.sendall(b"hello")
        assert program.recv(65_536).endswith(b"ok")


@pytest.mark.parametrize(
    ("answer", "method", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", "HEAD", b""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "GET", b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", "GET", b"until the end"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, "GET", b"ok"),
    ],
    ids=["204", "304", "HEAD", "until the end", "HTTP/1.0", "early hints"],
)
def test_each_kind_of_answer_is_understood_by_a_client(
    contexts: Contexts, answer: bytes, method: str, body: bytes
) -> None:
    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(answer)
        stream.unwrap()

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        client = http.client.HTTPConnection("github.secrets.rustbox.internal")
        client.sock = program
        client.request(method, "/")
        response = client.getresponse()
        assert response.read() == body
        if method == "HEAD":
            assert response.headers["content-length"] == "7"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/", "Content-Length: 3", "Transfer-Encoding: chunked", method="POST"), 400),
        (get("/", "Content-Length: 3", "Content-Length: 4", method="POST"), 400),
        (get("/", "X-Folded: a\r\n b"), 400),
        (get("/", "Connection: Upgrade", "Upgrade: websocket"), 400),
        (get("https://evil.example/"), 400),
        (get("evil.example:443", method="CONNECT"), 400),
        (get("/%2e%2e/x"), 400),
        (b"GET / HTTP/1.1\r\nX : y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (70 << 10), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    ],
)
def test_a_request_that_two_servers_may_read_differently_is_refused(
    contexts: Contexts, request_bytes: bytes, status: int
) -> None:
    heads = []

    def serve(stream: ssl.SSLSocket) -> None:
        heads.append(read_head(stream))

    with relayed(serve, contexts, SECRET) as connected:
        answer = ask(connected, request_bytes)
        assert answer.split()[1] == str(status).encode()
        assert answer.count(b"HTTP/1.1 ") == 1
        assert connected.use.refused == 1
    assert not any(heads)


def test_what_follows_a_refused_request_is_no_request(contexts: Contexts) -> None:
    heads = []

    def serve(stream: ssl.SSLSocket) -> None:
        heads.append(read_head(stream))

    smuggled = (
        get("/", "Content-Length: 60", "Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n" + get("/admin")
    )
    with relayed(serve, contexts, SECRET) as connected:
        assert ask(connected, smuggled).count(b"HTTP/1.1 ") == 1
    assert not any(heads)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"not HTTP at all\r\n\r\n",
        b"",
    ],
    ids=["compressed", "upgrade", "two lengths", "no HTTP", "nothing"],
)
def test_an_answer_that_the_relay_cannot_read_is_502_with_a_reason(contexts: Contexts, answer: bytes) -> None:
    with relayed(always(answer), contexts, SECRET) as connected:
        shown = ask(connected, get())
    assert shown.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    reason = json.loads(shown.partition(b"\r\n\r\n")[2])["error"]
    assert reason.startswith("rustbox: the host")
    assert connected.use.error == reason.removeprefix("rustbox: ")


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nonly this",
    ],
    ids=["length", "chunks", "until the end"],
)
def test_an_answer_that_is_cut_never_looks_complete(contexts: Contexts, start: bytes) -> None:
    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(start)
        with socket.socket(fileno=stream.detach()) as raw:  # without a farewell of TLS
            raw.shutdown(socket.SHUT_RDWR)

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get())
        assert read_to_end(program).endswith(b"<reset>")


def test_a_certificate_of_another_authority_or_name_is_refused(contexts: Contexts, tmp_path: Path) -> None:
    heads = []

    def serve(stream: ssl.SSLSocket) -> None:
        heads.append(read_head(stream))

    _, other = certificate(tmp_path, SECRET.host)
    with relayed(serve, (other, contexts[1]), SECRET) as connected:
        assert b"certificate is not valid" in ask(connected, get())
    elsewhere = Secret("github", "other.test.example", 443, "bearer")
    with relayed(serve, contexts, elsewhere) as connected:
        assert b"certificate is not valid" in ask(connected, get())
    assert not any(heads)


def test_a_host_that_speaks_no_tls_gets_no_byte_of_the_request(contexts: Contexts) -> None:
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                received.append(accepted.recv(65_536))
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        with relayed(always(OK), contexts, SECRET) as connected:
            answer = ask(Relayed(connected.use, lambda: connected.connect_to(listener.getsockname()[1])), get("/path"))
    assert answer.startswith(b"HTTP/1.1 502")
    assert b"/path" not in received[0]
    assert VALUE not in received[0]


def test_the_end_of_an_idle_host_ends_the_connection_of_the_program(contexts: Contexts) -> None:
    with relayed(always(OK), contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get())
        assert read_to_end(program).endswith(b"ok")


def test_a_program_that_goes_away_ends_the_connection_of_the_host(contexts: Contexts) -> None:
    ended: list[bytes] = []

    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            while True:
                stream.sendall(bytes(1 << 16))
        except OSError:
            ended.append(b"ended")

    with relayed(serve, contexts, SECRET) as connected:
        with connected.connect() as program:
            program.sendall(get())
            program.recv(1000)
        until(lambda: ended == [b"ended"])


@pytest.fixture
def in_parts() -> Callable[[socket.socket, bytes], None]:
    def send(program: socket.socket, data: bytes) -> None:
        for byte in range(len(data)):
            program.sendall(data[byte : byte + 1])
            time.sleep(0.0005)

    return send


def test_requests_and_answers_of_single_bytes_are_masked_too(
    contexts: Contexts, in_parts: Callable[[socket.socket, bytes], None]
) -> None:
    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        in_parts(stream, b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(VALUE) + 2) + b"<" + VALUE + b">")

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        in_parts(program, get("/slow"))
        answer = read_to_end(program)
    assert answer.endswith(b"\r\n\r\n<" + b"*" * len(VALUE) + b">")


@pytest.mark.parametrize("cut", [1, 5, len(VALUE) - 1])
def test_a_value_whose_bytes_are_a_round_trip_apart_is_masked(contexts: Contexts, cut: int) -> None:
    """A program chooses what comes before the value, and so where a segment of the answer ends."""

    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(VALUE) + 2) + b"<" + VALUE[:cut])
        time.sleep(0.3)
        stream.sendall(VALUE[cut:] + b">")

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get())
        answer = read_to_end(program)
    assert answer.endswith(b"\r\n\r\n<" + b"*" * len(VALUE) + b">")


def test_bytes_before_the_value_do_not_shorten_its_wait(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that sends something early, and the value just before the time of that ends."""
    monkeypatch.setattr(exchange, "HELD_SECS", 1.0)

    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(VALUE) + 1) + b"<")
        time.sleep(0.8)
        stream.sendall(VALUE[:9])
        time.sleep(0.6)
        stream.sendall(VALUE[9:])

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get())
        answer = read_to_end(program)
    assert answer.endswith(b"\r\n\r\n<" + b"*" * len(VALUE))


def test_a_program_that_reads_nothing_meanwhile_gets_no_start_of_a_value(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "HELD_SECS", 0.5)
    before = bytes(8 << 20)

    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(before) + len(VALUE)))
        stream.sendall(before + VALUE[:9])
        stream.sendall(VALUE[9:])

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get())
        program.recv(1)
        time.sleep(1.5)
        answer = read_to_end(program)
    assert answer.endswith(bytes(64) + b"*" * len(VALUE))


def test_a_connection_has_the_secret_of_its_alias_only(contexts: Contexts) -> None:
    heads: list[bytes] = []

    def serve(stream: ssl.SSLSocket) -> None:
        while head := read_head(stream):
            heads.append(head)
            stream.sendall(OK)

    with relayed(serve, contexts, SECRET) as connected:
        ask(connected, get("/", f"Host: {HOST}").replace(b"Host: github.secrets.rustbox.internal\r\n", b""))
    assert b"host: api.test.example\r\n" in heads[0]


def test_memory_of_a_connection_is_bounded_when_the_program_reads_nothing(contexts: Contexts) -> None:
    sent = [0]

    def serve(stream: ssl.SSLSocket) -> None:
        read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        stream.settimeout(1)
        while True:
            sent[0] += stream.send(bytes(1 << 16))

    with relayed(serve, contexts, SECRET) as connected, connected.connect() as program:
        program.sendall(get())
        last = -1
        while last != sent[0]:
            last = sent[0]
            time.sleep(1.2)
        assert 0 < last < 64 << 20  # buffers of the kernel on this loopback, and some chunks
