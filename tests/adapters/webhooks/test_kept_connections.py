"""Connections that the next send uses again: whose they are, how long they live, and receivers that close them."""

import socket
from collections.abc import Callable, Iterator

import pytest

from functions.webhooks import egress as module
from functions.webhooks.egress import KEPT_MS, MAX_READ_BYTES, MOST_KEPT, Egress, KeptConnections, Wait
from functions.webhooks.vocabulary import Reply
from tests.adapters.webhooks.raw_receivers import OK, Authority, Receiver

type Start = Callable[..., Receiver]


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, start: Start) -> Iterator[KeptConnections]:
    """Connections of this test only, closed at its end."""
    kept = KeptConnections()
    monkeypatch.setattr(module, "_kept_connections", kept)
    yield kept
    for connection in kept._places:
        connection.close()


def post(receiver: Receiver, project: str = "one", path: str = "/hook", **headers: str) -> Reply:
    url = f"http://127.0.0.1:{receiver.port}{path}"
    return Egress(allow_insecure=True).post(url, headers, b"{}", Wait(keeper=project))


def answering(*answers: bytes, then_close: bool = False) -> Callable[[socket.socket], None]:
    """Answer the requests of a connection, with the last answer for ever; close it after an empty answer."""

    def serve(peer: socket.socket) -> None:
        left = list(answers)
        while request := peer.recv(65536):
            while not request.endswith(b"{}"):
                request += peer.recv(65536)
            answer = left.pop(0) if len(left) > 1 else left[0]
            peer.sendall(answer)
            if not answer or then_close:
                return

    return serve


def test_sends_of_a_project_to_one_place_use_one_connection(start: Start) -> None:
    receiver = start(answering(OK))
    assert [post(receiver, path=f"/{number}").status_code for number in range(3)] == [200] * 3
    assert receiver.connections == 1


def test_projects_share_no_connection(start: Start) -> None:
    receiver = start(answering(OK))
    assert [post(receiver, project).status_code for project in ("one", "other", "one")] == [200] * 3
    assert receiver.connections == 2


def test_a_send_without_a_keeper_asks_to_close(start: Start) -> None:
    heads: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        heads.append(peer.recv(65536))
        peer.sendall(OK)

    receiver = start(serve)
    post(receiver, "")
    post(receiver, "one")
    assert [b"connection: close" in head for head in heads] == [True, False]
    assert receiver.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * MAX_READ_BYTES) + bytes(2 * MAX_READ_BYTES),
        OK + OK,
    ],
)
def test_no_connection_is_kept_whose_next_bytes_are_no_answer(start: Start, answer: bytes) -> None:
    receiver = start(answering(answer))
    statuses = [post(receiver).status_code for _ in range(2)]
    assert statuses[0] == statuses[1]
    assert receiver.connections == 2 or answer == OK + OK  # an answer that came before its request is dropped


def test_an_answer_before_its_request_is_nobodys(start: Start) -> None:
    first = OK + b"x" * 65536  # more than a reader takes at once
    receiver = start(answering(first, OK))
    assert [post(receiver).head for _ in range(2)] == [b"ok", b"ok"]
    assert receiver.connections == 2


def test_a_receiver_that_closed_its_connection_gets_a_new_one(start: Start) -> None:
    receiver = start(answering(OK, then_close=True))
    assert [post(receiver).status_code for _ in range(3)] == [200] * 3
    assert receiver.connections == 3


def test_a_request_without_an_answer_on_a_kept_connection_is_sent_again(start: Start) -> None:
    receiver = start(answering(OK, b""))
    assert [post(receiver).status_code for _ in range(3)] == [200] * 3
    assert receiver.connections == 3


def test_a_new_connection_without_an_answer_is_a_failure(start: Start) -> None:
    receiver = start(answering(b""))
    assert post(receiver).error_code == "connection_reset"
    assert receiver.connections == 1


def test_an_old_connection_is_closed_and_its_name_looked_up_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, kept: KeptConnections
) -> None:
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    receiver, now = start(answering(OK)), [1_000_000]
    monkeypatch.setattr(module, "now_ms", lambda: now[0])
    sends = Egress(allow_insecure=True, resolver=resolver)
    for at_ms in (0, KEPT_MS - 1, KEPT_MS, 0):  # at last, the clock was set back
        now[0] = 1_000_000 + at_ms
        reply = sends.post(f"http://hooks.example.com:{receiver.port}/", {}, b"{}", Wait(keeper="one"))
        assert reply.status_code == 200
    assert (len(asked), receiver.connections, len(kept._places)) == (3, 3, 1)


def test_a_name_that_leads_elsewhere_by_now_is_refused_after_the_age_of_a_connection(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, now, addresses = start(answering(OK)), [0], ["127.0.0.1"]
    monkeypatch.setattr(module, "now_ms", lambda: now[0])
    sends = Egress(allow_insecure=True, resolver=lambda _host, _port: addresses)
    url = f"http://hooks.example.com:{receiver.port}/"
    assert sends.post(url, {}, b"{}", Wait(keeper="one")).status_code == 200
    now[0], addresses[0] = KEPT_MS, "10.0.0.1"
    assert sends.post(url, {}, b"{}", Wait(keeper="one")).error_code == "blocked_address"
    assert receiver.connections == 1


def test_a_process_keeps_a_bounded_number_and_closes_the_oldest(start: Start, kept: KeptConnections) -> None:
    receiver = start(answering(OK))
    for number in range(MOST_KEPT + 2):
        assert post(receiver, f"project-{number}").status_code == 200
    assert [place[0] for place in kept._places.values()] == [f"project-{number}" for number in range(2, MOST_KEPT + 2)]


def test_a_kept_connection_over_tls_is_used_again(start: Start, authority: Authority) -> None:
    receiver = start(answering(OK), authority.server_context("hooks.example.com"))
    sends = Egress(allow_insecure=True, resolver=lambda _host, _port: ["127.0.0.1"], trust=authority.client_context)
    url = f"https://hooks.example.com:{receiver.port}/"
    replies = [sends.post(url, {}, b"{}", Wait(keeper="one")) for _ in range(3)]
    assert [(reply.status_code, reply.address) for reply in replies] == [(200, "127.0.0.1")] * 3
    assert receiver.connections == 1


@pytest.mark.parametrize("value", ["a\r\nx-more: b", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\u0100b"])
def test_a_header_with_a_control_character_is_never_sent(start: Start, value: str) -> None:
    receiver = start(answering(OK))
    assert post(receiver, **{"x-own": value}).error_code == "response_invalid"
    assert post(receiver, **{"x-own\r\nx-more": "b"}).error_code == "response_invalid"
    assert receiver.connections == 0


def test_no_header_replaces_those_of_the_connection(start: Start) -> None:
    requests: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        requests.append(peer.recv(65536))
        peer.sendall(OK)

    receiver = start(serve)
    post(receiver, **{"host": "elsewhere", "content-length": "0"})
    lines = requests[0].lower().split(b"\r\n")
    framing = [line for line in lines if line.startswith((b"host", b"content-length"))]
    assert framing == [b"host: 127.0.0.1:%d" % receiver.port, b"content-length: 2"]
