"""The runner's HTTP side against clients that are wrong, slow, greedy or strangers. Real sockets."""

import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from sandbox_runtime import server as server_module
from sandbox_runtime.server import Reply, Routes, Server, bind, server_context
from tests.certificates import Authority
from tests.descriptors import no_free_descriptors

TOKEN = "t" * 40
PATIENCE_SECS = 20


@dataclass
class Site:
    """A server that echoes bodies, and what reached it."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    obstacle: tuple[str, str] | None = None
    clients: list[http.client.HTTPConnection] = field(default_factory=list)
    held: Event = field(default_factory=Event)
    trust: ssl.SSLContext | None = None

    def routes(self) -> Routes:
        return Routes(
            self.execute,
            self.cancel,
            self.output,
            lambda: self.obstacle,
            lambda: "a_metric 1\n",
            self.held.set,
            TOKEN.encode(),
            max_body_bytes=1000,
        )

    def cancel(self, submission_id: str) -> bool:
        self.cancelled.append(submission_id)
        return True

    def output(self, body: bytes) -> bytes:
        self.bodies.append(body)
        if body == b"wrong":
            raise ValueError
        return body

    def execute(self, body: bytes, _request_id: str, reply: Reply) -> None:
        self.bodies.append(body)
        if body == b"fault":
            raise ZeroDivisionError
        reply.send(200, body)

    def client(self) -> http.client.HTTPConnection:
        if self.trust is None:
            made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECS)
        else:
            made = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_SECS, context=self.trust)
        self.clients.append(made)
        return made

    def raw(self, content: bytes) -> bytes:
        """Send bytes, return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECS) as stream:
            stream.sendall(content)
            return b"".join(iter(lambda: stream.recv(65_536), b""))


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    listening = bind("127.0.0.1", 0)
    made.port = listening.getsockname()[1]
    server = Server(listening, made.routes())
    server.start()
    yield made
    for client in made.clients:
        client.close()
    server.stop()


def ask(
    client: http.client.HTTPConnection,
    body: bytes = b"{}",
    *,
    token: str = f"Bearer {TOKEN}",
    path: str = "/v1/execute",
    method: str = "POST",
) -> tuple[int, bytes]:
    client.request(method, path, body, {"Authorization": token})
    response = client.getresponse()
    return response.status, response.read()


def test_requests_follow_each_other_on_one_connection(site: Site) -> None:
    client = site.client()
    client.connect()
    kept = client.sock
    assert [ask(client, f"{n}".encode()) for n in range(20)] == [(200, f"{n}".encode()) for n in range(20)]
    assert client.sock is kept


@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "\xff" * 40]
)
def test_a_stranger_gets_401_and_nothing_is_read(site: Site, token: str) -> None:
    client = site.client()
    assert ask(client, token=token) == (401, b'{"error":"unauthorized"}'.replace(b":", b": "))
    assert client.sock is None
    assert site.bodies == []


def test_two_tokens_in_one_request_are_401(site: Site) -> None:
    head = f"POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization: Bearer {TOKEN}\r\n"
    answer = site.raw(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_health_needs_no_token_and_says_when_the_worker_drains(site: Site) -> None:
    client = site.client()
    assert ask(client, b"", token="", path="/healthz", method="GET") == (200, b'{"status":"ok"}')
    site.obstacle = ("draining", "this runner stops")
    assert ask(client, b"", token="", path="/healthz", method="GET") == (
        503,
        b'{"status": "draining", "problem": "this runner stops"}',
    )


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "POST", 404), ("/healthz", "POST", 404), ("/v1/execute", "GET", 405)]
)
def test_anything_else_is_refused(site: Site, path: str, method: str, status: int) -> None:
    assert ask(site.client(), path=path, method=method)[0] == status
    assert site.bodies == []


RUN_ID = b"7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [("", RUN_ID, 401), (TOKEN, b"{}", 400), (TOKEN, RUN_ID * 2, 413), (TOKEN, RUN_ID, 200)],
)
def test_a_run_is_cancelled_by_its_id_and_with_the_token(site: Site, token: str, body: bytes, status: int) -> None:
    answered, text = ask(site.client(), body, token=f"Bearer {token}", path="/v1/cancel")
    assert answered == status
    assert site.cancelled == ([RUN_ID.decode()] if status == 200 else [])
    assert (status == 200) == (text == b'{"ran": true}')


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [("", b"{}", 401), (TOKEN, b"wrong", 400), (TOKEN, b" " * 513, 413), (TOKEN, b"{}", 200)],
)
def test_output_is_read_with_the_token(site: Site, token: str, body: bytes, status: int) -> None:
    answered, text = ask(site.client(), body, token=f"Bearer {token}", path="/v1/output")
    assert answered == status
    assert (text == body) == (status == 200)
    assert site.bodies == ([body] if status in {200, 400} else [])


AUTHORISED = f"POST /v1/execute HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("\r\n", 411),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
        ("Content-Length: 1001\r\n\r\n", 413),
        ("Content-Length: 99999999999999999999\r\n\r\n", 413),
        ("Content-Length: -1\r\n\r\n", 400),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 411),
        (f"X: {'x' * 9_000}", 431),
        ("Broken header\r\n\r\n", 400),
    ],
)
def test_a_request_without_a_bound_or_against_the_protocol_is_refused(site: Site, rest: str, status: int) -> None:
    answer = site.raw((AUTHORISED + rest).encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert site.bodies == []


def test_bytes_without_a_protocol_get_400(site: Site) -> None:
    assert site.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_body_smuggled_behind_the_first_is_a_request_of_its_own(site: Site) -> None:
    first = f"{AUTHORISED}Content-Length: 2\r\n\r\n{{}}"
    answer = site.raw(f"{first}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert site.bodies == [b"{}"]


@pytest.mark.parametrize("sent", ["POST /v1/exec", f"{AUTHORISED}Content-Length: 5\r\n\r\nab"])
def test_a_request_that_does_not_end_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    monkeypatch.setattr(server_module, "REQUEST_SECS", 0.1)
    assert site.raw(sent.encode()) == b""
    assert site.bodies == []


def test_a_silent_client_is_disconnected(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "UNAUTHENTICATED_IDLE_SECS", 0.1)
    assert site.raw(b"") == b""


def test_metrics_need_no_token(site: Site) -> None:
    client = site.client()
    client.request("GET", "/metrics")
    response = client.getresponse()
    assert (response.status, response.read()) == (200, b"a_metric 1\n")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("token", ["", "Bearer wrong"])
def test_a_stranger_cannot_stop_the_intake(site: Site, token: str) -> None:
    assert ask(site.client(), b"", token=token, path="/v1/drain")[0] == 401
    assert not site.held.is_set()


def test_the_intake_is_stopped_with_the_token(site: Site) -> None:
    assert ask(site.client(), b"", path="/v1/drain", method="GET")[0] == 404
    assert not site.held.is_set()
    assert ask(site.client(), b"", path="/v1/drain") == (202, b'{"status":"draining"}')
    assert site.held.is_set()


@pytest.fixture(params=["http", "https"])
def small_site(
    request: pytest.FixtureRequest, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Site]:
    """A server that accepts two connections."""
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    tls = None
    if request.param == "https":
        issuer = Authority("Ours")
        tls = server_context(*issuer.issue(tmp_path))
        site.trust = ssl.create_default_context(cadata=issuer.pem)
    listening = bind("127.0.0.1", 0)
    server = Server(listening, site.routes(), tls)
    server.start()
    site.port = listening.getsockname()[1]
    yield site
    server.stop()


def test_more_connections_than_the_bound_are_closed_at_once(small_site: Site) -> None:
    clients = [small_site.client() for _ in range(2)]
    assert [ask(client)[0] for client in clients] == [200, 200]
    assert small_site.raw(b"") == b""
    assert ask(clients[0])[0] == 200


def test_a_client_that_gets_no_descriptor_is_disconnected_and_comes_in_later() -> None:
    site, listening = Site(), bind("127.0.0.1", 0)
    site.port = listening.getsockname()[1]
    server = Server(listening, site.routes())
    with ExitStack() as opened, socket.create_connection(("127.0.0.1", site.port), PATIENCE_SECS) as client:
        last = opened.enter_context(Path(os.devnull).open())
        opened.enter_context(no_free_descriptors())
        last.close()  # one is free: enough to accept, too few to serve
        server.start()
        assert client.recv(1) == b""
    known = site.client()
    assert ask(known)[0] == 200
    known.close()
    server.stop()


def test_clients_without_the_token_keep_out_nobody_who_has_it(small_site: Site) -> None:
    known, later = small_site.client(), small_site.client()
    assert ask(known)[0] == 200
    kept = known.sock
    with socket.create_connection(("127.0.0.1", small_site.port), PATIENCE_SECS) as stranger:
        assert ask(later)[0] == 200
        assert stranger.recv(1) == b""
    assert ask(known)[0] == 200
    assert known.sock is kept


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_without_the_token_one_answer_ends_the_connection(site: Site, path: str) -> None:
    client = site.client()
    assert ask(client, b"", token="", path=path, method="GET")[0] == 200
    assert client.sock is None
    assert ask(client)[0] == 200
    assert ask(client, b"", token="", path=path, method="GET")[0] == 200
    assert client.sock is not None


def test_a_fault_of_ours_is_500_and_the_connection_goes_on(site: Site) -> None:
    client = site.client()
    assert ask(client, b"fault") == (500, b'{"error": "internal"}')
    assert ask(client)[0] == 200


def test_a_reply_to_somebody_who_left_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    left, told = Event(), []

    def late(_body: bytes, _request_id: str, reply: Reply) -> None:
        assert left.wait(PATIENCE_SECS)
        told.append((reply.send(200, b"{}"), reply.send(200, b"again")))
        left.clear()

    monkeypatch.setattr(site, "execute", late)
    server = Server(bind("127.0.0.1", 0), site.routes())
    server.start()
    client = http.client.HTTPConnection("127.0.0.1", server._listener.getsockname()[1], timeout=PATIENCE_SECS)
    client.request("POST", "/v1/execute", b"{}", {"Authorization": f"Bearer {TOKEN}"})
    client.close()
    left.set()
    while not told:
        Event().wait(0.01)
    assert told == [(False, False)]
    server.stop()
