"""Egress against real sockets: receivers on 127.0.0.1, good and bad certificates, and answers meant to hurt."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions.webhooks.egress import (
    MAX_INFORMATIONAL,
    MAX_INFORMATIONAL_BYTES,
    MAX_READ_BYTES,
    Egress,
    system_resolver,
)
from functions.webhooks.vocabulary import Reply
from tests.adapters.webhooks.raw_receivers import OK, Authority, Receiver, answer, drip, read_request
from tests.until import until

HEADERS = {"content-type": "application/json", "webhook-id": "x"}


def post(receiver: Receiver, *, total_secs: float = 10, body: bytes = b"{}") -> Reply:
    url = f"http://127.0.0.1:{receiver.port}/hook"
    return Egress(allow_insecure=True, total_secs=total_secs).post(url, HEADERS, body)


def post_tls(
    receiver: Receiver,
    authority: Authority,
    *,
    host: str = "hooks.example.com",
    total_secs: float = 10,
    body: bytes = b'{"a":1}',
) -> Reply:
    """Send to a public name that a resolver of the test points at the receiver."""
    egress = Egress(
        allow_insecure=True,
        resolver=lambda _host, _port: ["127.0.0.1"],
        total_secs=total_secs,
        trust=authority.client_context,
    )
    return egress.post(f"https://{host}:{receiver.port}/hook?x=1", HEADERS, body)


# --- what goes out -------------------------------------------------------------


def test_request_carries_the_exact_body_headers_and_host(start: Callable[..., Receiver]) -> None:
    received: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        received.append(read_request(peer))
        peer.sendall(OK)

    receiver = start(serve)
    body = '{"text":"✓"}'.encode()
    reply = Egress(allow_insecure=True).post(f"http://127.0.0.1:{receiver.port}/a%20b?c=d", HEADERS, body)
    head, _, sent_body = received[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /a%20b?c=d http/1.1"
    assert f"host: 127.0.0.1:{receiver.port}".encode() in lines
    assert b"accept-encoding: identity" in lines
    assert b"webhook-id: x" in lines
    assert sent_body == body
    assert (reply.status_code, reply.error_code, reply.head, reply.address) == (200, None, b"ok", "127.0.0.1")


def test_large_body_arrives_whole(start: Callable[..., Receiver]) -> None:
    received: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        received.append(read_request(peer))
        peer.sendall(OK)

    body = bytes(range(256)) * 1024
    assert post(start(serve), body=body).status_code == 200
    assert received[0].endswith(body)


def test_answer_before_the_body_was_read_counts(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(1024)
        peer.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65536):
            pass

    assert post(start(serve), body=b"x" * 300_000).status_code == 413


def test_body_does_not_wait_for_the_acknowledgement_of_the_headers(
    start: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[socket.socket] = []
    connect = socket.create_connection

    def recording(*args: Any, **kwargs: Any) -> socket.socket:
        sock = connect(*args, **kwargs)
        dialled.append(sock.dup())  # of the same connection: open after the send
        return sock

    monkeypatch.setattr(socket, "create_connection", recording)
    assert post(start(answer(OK))).status_code == 200
    with dialled[0] as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_proxy_of_the_environment_is_not_used(start: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, proxy = start(answer(OK)), start(answer(OK))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post(receiver).status_code == 200
    assert (receiver.connections, proxy.connections) == (1, 0)


# --- addresses -----------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:93.184.216.34"],
        ["64:ff9b::7f00:1"],
        ["fd00:ec2::254"],
        ["93.184.216.34", "10.0.0.1"],
        ["10.0.0.1", "93.184.216.34"],
        ["93.184.216.34"] * 9 + ["127.0.0.1"],
        ["not an address"],
    ],
)
def test_any_answer_that_is_not_public_blocks_the_send(addresses: list[str]) -> None:
    reply = Egress(resolver=lambda _host, _port: addresses).post("https://hooks.example.com/", HEADERS, b"{}")
    assert (reply.error_code, reply.status_code, reply.address) == ("blocked_address", None, None)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example.com/", "bad_scheme"),
        ("https://127.0.0.1/", "ip_literal"),
        ("https://localhost/", "reserved_name"),
        ("https://hooks.example.com:22/", "bad_port"),
        ("https://hooks.example.com\\@127.0.0.1/", "bad_syntax"),
    ],
)
def test_url_is_judged_before_any_lookup(url: str, code: str) -> None:
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"]

    assert Egress(resolver=resolver).post(url, HEADERS, b"{}").error_code == code
    assert asked == []


def test_name_is_resolved_once_and_that_address_is_dialled(start: Callable[..., Receiver]) -> None:
    receiver, asked = start(answer(OK)), []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    reply = Egress(allow_insecure=True, resolver=rebinding).post(f"http://Hooks.Example.com:{receiver.port}/", {}, b"")
    assert (reply.status_code, reply.address, reply.host) == (200, "127.0.0.1", "hooks.example.com")
    assert asked == ["hooks.example.com"]


def test_second_address_is_tried_when_the_first_refuses(start: Callable[..., Receiver]) -> None:
    receiver = start(answer(OK))
    egress = Egress(allow_insecure=True, resolver=lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
    reply = egress.post(f"http://hooks.example.com:{receiver.port}/", {}, b"{}")
    assert (reply.status_code, reply.address) == (200, "127.0.0.1")


def test_name_without_an_address_is_a_dns_error() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    def empty(_host: str, _port: int) -> list[str]:
        return []

    for resolver in (unknown, empty):
        reply = Egress(resolver=resolver).post("https://hooks.example.com/", HEADERS, b"{}")
        assert (reply.error_code, reply.status_code) == ("dns_error", None)


def test_resolver_that_hangs_is_left_behind_at_the_deadline() -> None:
    release = threading.Event()

    def hanging(_host: str, _port: int) -> list[str]:
        release.wait(30)
        return ["93.184.216.34"]

    reply = Egress(resolver=hanging, total_secs=0.2).post("https://hooks.example.com/", HEADERS, b"{}")
    release.set()
    assert reply.error_code == "dns_error"
    assert reply.latency_ms < 20_000


def test_system_resolver_names_each_address_once() -> None:
    assert system_resolver("127.0.0.1", 443) == ["127.0.0.1"]


# --- answers that hurt -----------------------------------------------------------


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 404, 410, 429, 503])
def test_status_is_reported_and_no_redirect_is_followed(status: int, start: Callable[..., Receiver]) -> None:
    elsewhere = start(answer(OK))
    location = f"location: http://127.0.0.1:{elsewhere.port}/\r\nretry-after: 7\r\n"
    reply = post(start(answer(f"HTTP/1.1 {status} X\r\n{location}content-length: 0\r\n\r\n".encode())))
    assert (reply.status_code, reply.retry_after, reply.error_code) == (status, "7", None)
    assert elsewhere.connections == 0


def test_endless_answer_is_read_to_64_kib_and_kept_to_1_kib(start: Callable[..., Receiver]) -> None:
    sent: list[int] = []

    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")
        for _ in range(1024):
            peer.sendall(b"x" * 1_048_576)
            sent.append(1_048_576)

    reply = post(start(serve))
    assert (reply.status_code, reply.head) == (200, b"x" * 1024)
    assert sum(sent) < 64 * MAX_READ_BYTES  # the rest is what socket buffers took


def test_gzip_bomb_stays_packed(start: Callable[..., Receiver]) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n".encode()
    reply = post(start(answer(head + bomb)))
    assert (reply.status_code, reply.head) == (200, bomb[:1024])


def test_receiver_that_drips_its_body_is_cut_off_at_the_deadline(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        drip(peer, b"x")

    reply = post(start(serve), total_secs=0.4)
    assert (reply.error_code, reply.status_code) == ("timeout", None)
    assert 400 <= reply.latency_ms < 5000


def test_drip_of_an_answer_without_length_is_no_success(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        drip(peer, b"x")

    reply = post(start(serve), total_secs=0.4)
    assert (reply.error_code, reply.status_code) == ("timeout", None)


def test_receiver_that_drips_its_headers_is_cut_off(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        drip(peer, b"y")

    assert post(start(serve), total_secs=0.4).error_code == "timeout"


def test_receiver_that_says_continue_for_ever_is_cut_off(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        drip(peer, b"HTTP/1.1 100 Continue\r\n\r\n")

    assert post(start(serve)).error_code == "response_invalid"
    assert post(start(serve), total_secs=0.1).error_code == "timeout"


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_informational_answers_are_skipped(status: int, start: Callable[..., Receiver]) -> None:
    hints = f"HTTP/1.1 {status} Wait\r\nlink: </style.css>\r\nretry-after: 9\r\n\r\n".encode()
    reply = post(start(answer(hints * 3 + OK)))
    assert (reply.status_code, reply.head, reply.retry_after) == (200, b"ok", None)


def test_switch_of_protocols_is_a_final_answer(start: Callable[..., Receiver]) -> None:
    reply = post(start(answer(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n" + OK)))
    assert (reply.status_code, reply.is_success, reply.head) == (101, False, b"")


@pytest.mark.parametrize("status", [100, 103])
def test_informational_answers_are_bounded_in_number_and_bytes(status: int, start: Callable[..., Receiver]) -> None:
    line = f"HTTP/1.1 {status} Wait\r\n".encode()
    few = line + b"\r\n"
    assert post(start(answer(few * MAX_INFORMATIONAL + OK))).status_code == 200
    assert post(start(answer(few * (MAX_INFORMATIONAL + 1) + OK))).error_code == "response_invalid"
    header = b"x: " + b"y" * (MAX_INFORMATIONAL_BYTES // 2) + b"\r\n"
    assert post(start(answer(line + header + b"\r\n" + OK))).status_code == 200
    assert post(start(answer(line + header * 2 + b"\r\n" + OK))).error_code == "response_invalid"


def test_receiver_that_never_answers_times_out(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.recv(1)

    assert post(start(serve), total_secs=0.3).error_code == "timeout"


def test_receiver_that_never_reads_times_out(start: Callable[..., Receiver]) -> None:
    done = threading.Event()
    receiver = start(lambda _peer: done.wait(60) and None)
    reply = post(receiver, total_secs=0.3, body=b"x" * 20_000_000)
    done.set()
    assert reply.error_code == "timeout"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000_000,
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\xff\x00",
    ],
    ids=["endless headers", "endless header", "not http", "no status", "bad chunk", "binary"],
)
def test_answer_that_is_no_answer_is_invalid(data: bytes, start: Callable[..., Receiver]) -> None:
    reply = post(start(answer(data)))
    assert reply.status_code is None
    assert reply.error_code == "response_invalid"


def test_status_counts_although_the_body_was_cut_short(start: Callable[..., Receiver]) -> None:
    reply = post(start(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")))
    assert (reply.status_code, reply.head) == (200, b"short")


def test_connection_closed_without_an_answer_is_a_reset(start: Callable[..., Receiver]) -> None:
    assert post(start(answer(b""))).error_code == "connection_reset"


def test_a_connection_reset_has_an_error_code_of_its_own(start: Callable[..., Receiver]) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    assert post(start(serve)).error_code == "connection_reset"


def test_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reply = Egress(allow_insecure=True).post(f"http://127.0.0.1:{port}/", HEADERS, b"{}")
    assert (reply.error_code, reply.address) == ("connect_refused", "127.0.0.1")


# --- TLS -----------------------------------------------------------------------


def test_certificate_and_sni_are_those_of_the_name_not_of_the_address(
    start: Callable[..., Receiver], authority: Authority
) -> None:
    received: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        received.append(read_request(peer))
        peer.sendall(OK)

    receiver = start(serve, authority.server_context("hooks.example.com"))
    reply = post_tls(receiver, authority, host="Hooks.Example.Com.")
    assert (reply.status_code, reply.address) == (200, "127.0.0.1")
    assert receiver.sni == ["hooks.example.com"]
    assert f"host: hooks.example.com:{receiver.port}".encode() in received[0].lower()


@pytest.mark.parametrize("names", [("other.example.com",), ("127.0.0.1",), ("*.hooks.example.com",), ("*.com",)])
def test_certificate_of_another_name_is_refused(
    names: tuple[str, ...], start: Callable[..., Receiver], authority: Authority
) -> None:
    served: list[bytes] = []
    receiver = start(lambda peer: served.append(read_request(peer)), authority.server_context(*names))
    reply = post_tls(receiver, authority)
    assert (reply.error_code, reply.status_code) == ("tls_error", None)
    assert served == []


def test_expired_certificate_is_refused(start: Callable[..., Receiver], authority: Authority) -> None:
    receiver = start(answer(OK), authority.server_context("hooks.example.com", expired=True))
    assert post_tls(receiver, authority).error_code == "tls_error"


def test_certificate_of_an_unknown_authority_is_refused(
    start: Callable[..., Receiver], authority: Authority, tmp_path: Path
) -> None:
    receiver = start(answer(OK), Authority(tmp_path).server_context("hooks.example.com"))
    assert post_tls(receiver, authority).error_code == "tls_error"


def test_development_flag_does_not_switch_certificates_off(
    start: Callable[..., Receiver], authority: Authority
) -> None:
    receiver = start(answer(OK), authority.server_context("localhost"))
    reply = Egress(allow_insecure=True).post(f"https://localhost:{receiver.port}/", HEADERS, b"{}")
    assert reply.error_code == "tls_error"


def test_plain_text_where_tls_was_due_is_a_tls_error(start: Callable[..., Receiver], authority: Authority) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(1024)
        peer.sendall(OK)

    assert post_tls(start(serve), authority).error_code == "tls_error"


def test_handshake_that_hangs_is_cut_off(start: Callable[..., Receiver], authority: Authority) -> None:
    assert post_tls(start(drip_slowly), authority, total_secs=0.3).error_code == "timeout"


def test_drip_over_tls_is_cut_off(start: Callable[..., Receiver], authority: Authority) -> None:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        drip(peer, b"x")

    receiver = start(serve, authority.server_context("hooks.example.com"))
    assert post_tls(receiver, authority, total_secs=0.5).error_code == "timeout"


def test_tls_record_that_drips_is_cut_off(start: Callable[..., Receiver], authority: Authority) -> None:
    """One read of the client waits for the whole record, of which a byte comes every 20 ms."""
    context = authority.server_context("hooks.example.com")

    def serve(peer: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)

        def retry[Result](step: Callable[[], Result]) -> Result:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    peer.sendall(outgoing.read())
                    incoming.write(peer.recv(65536))

        retry(tls.do_handshake)
        retry(lambda: tls.read(65536))
        peer.sendall(outgoing.read())
        tls.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n" + b"x" * 9000)
        for byte in outgoing.read():
            peer.sendall(bytes([byte]))
            time.sleep(0.02)

    assert post_tls(start(serve), authority, total_secs=0.5).error_code == "timeout"


@pytest.mark.parametrize("is_tls", [False, True])
def test_receiver_that_reads_slowly_is_cut_off(
    start: Callable[..., Receiver], authority: Authority, *, is_tls: bool
) -> None:
    """Each call of the client sends a little, so no single call times out."""
    taken: list[int] = []

    def serve(peer: socket.socket) -> None:
        while part := peer.recv(16_384):
            taken.append(len(part))
            time.sleep(0.01)

    body = b"x" * 20_000_000
    if is_tls:
        receiver = start(serve, authority.server_context("hooks.example.com"))
        reply = post_tls(receiver, authority, total_secs=1, body=body)
    else:
        reply = post(start(serve), total_secs=1, body=body)
    assert reply.error_code == "timeout"
    assert len(taken) > 2


def test_no_socket_or_thread_is_left_behind(start: Callable[..., Receiver]) -> None:
    receiver = start(answer(OK))
    post(receiver)
    files, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(20):
        assert post(receiver).status_code == 200
    # The receiver's own connections and threads may still end.
    until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= files + 2)
    until(lambda: threading.active_count() <= threads + 3)


def drip_slowly(peer: socket.socket) -> None:
    """Answer a TLS greeting with a record of 16 KiB, byte by byte."""
    peer.recv(4096)
    peer.sendall(b"\x16\x03\x03\x40\x00")
    drip(peer, b"\x02")


# --- what a resolver may answer ------------------------------------------------------

V4, V6 = "93.184.216.34", "2606:2800:220:1::1"
NOT_PUBLIC = (
    "0.0.0.0", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254", "168.63.129.16",  # noqa: S104
    "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.31.196.1",
    "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1",
    "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "2620:4f:8000::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
)  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
@pytest.mark.parametrize("place", ["alone", "first", "last"])
def test_address_off_the_internet_is_never_dialled(address: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *arguments, **_: dialled.append(arguments))
    answers = {"alone": [address], "first": [address, V4, V6], "last": [V4, V6, address]}[place]
    reply = Egress(resolver=lambda _host, _port: answers).post("https://hooks.example.com/", HEADERS, b"{}")
    assert (reply.error_code, dialled) == ("blocked_address", [])


@pytest.mark.parametrize("address", [address for address in NOT_PUBLIC if not address.startswith("127.")])
@pytest.mark.parametrize("place", ["alone", "first", "last"])
def test_development_flag_opens_loopback_addresses_only(
    address: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[object] = []

    def refuse(address: tuple[str, int], *_: object) -> object:
        dialled.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    answers = {"alone": [address], "first": [address, "127.0.0.1"], "last": ["127.0.0.1", address]}[place]
    egress = Egress(allow_insecure=True, resolver=lambda _host, _port: answers)
    code = egress.post("http://hooks.example.com:8080/", HEADERS, b"{}").error_code
    if address == "::1":
        assert (code, dialled) == ("connect_refused", answers)
    else:
        assert (code, dialled) == ("blocked_address", [])


@pytest.mark.parametrize(
    "answers",
    [
        [V4], [V6], [V4, V6], [V6, V4], ["172.32.0.1"], ["172.15.255.255"], ["100.128.0.1"], ["192.0.1.1"],
        ["198.20.0.1"], ["11.0.0.1"], ["223.255.255.255"], ["2001:4860:4860::8888"], ["2003::1"],
    ],
)  # fmt: skip
def test_public_answer_is_dialled_in_its_order(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], *_: object) -> object:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    reply = Egress(resolver=lambda _host, _port: answers).post("https://hooks.example.com:8443/", HEADERS, b"{}")
    assert dialled == [(address, 8443) for address in answers]
    assert (reply.error_code, reply.address) == ("connect_refused", answers[-1])


def test_at_most_four_addresses_are_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []

    def refuse(address: object, *_: object) -> object:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    answers = [f"93.184.216.{number}" for number in range(200)]
    Egress(resolver=lambda _host, _port: answers).post("https://hooks.example.com/", HEADERS, b"{}")
    assert len(dialled) == 4


def test_name_that_turns_inward_between_two_sends_is_blocked_at_the_second(
    start: Callable[..., Receiver], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is public; whoever checks once and dials by name later would reach the second."""
    receiver = start(answer(OK), authority.server_context("hooks.example.com"))
    connect, asked = socket.create_connection, list[str]()

    def to_the_receiver(address: tuple[str, int], timeout_secs: float) -> socket.socket:
        assert address == (V4, 8443)
        return connect(("127.0.0.1", receiver.port), timeout_secs)

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return [V4] if len(asked) == 1 else ["127.0.0.1"]

    monkeypatch.setattr(socket, "create_connection", to_the_receiver)
    egress = Egress(resolver=rebinding, trust=authority.client_context)
    replies = [egress.post("https://hooks.example.com:8443/", HEADERS, b"{}") for _ in range(2)]
    assert [(reply.status_code, reply.error_code) for reply in replies] == [(200, None), (None, "blocked_address")]
    assert (replies[0].address, receiver.connections, len(asked)) == (V4, 1, 2)
