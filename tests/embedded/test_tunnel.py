"""A confined process on another host reaches the engine through TLS with a token; hostile ones reach nothing else."""

import contextlib
import os
import secrets
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.embedded.confined import protocol, tunnel_clients, tunnel_server, tunnel_wire
from infra.embedded.confined.protocol import SocketCaller
from infra.embedded.confined.socket_server import CallSocket, Policy
from infra.embedded.confined.tunnel_clients import MOST_UNKNOWN, Budget, Known
from infra.embedded.confined.tunnel_server import Told, TunnelServer
from infra.embedded.confined.tunnel_wire import Greeting, RefusedError, TunnelClient, Wire, read_welcome
from infra.embedded.engine import Engine
from infra.embedded.errors import ServiceError
from infra.embedded.hook import Hook
from sandbox_runtime.network import NetworkError
from tests.certificates import Authority
from tests.embedded.backend import Backend, make_session
from tests.embedded.runner_calls import (
    BUCKET,
    CONTEXT,
    VALUE,
    every_call,
    local_statements,
    opener_at,
    sealed_for,
    what_it_writes,
)
from tests.until import until

VERSION = "1.4.2"
NAMES = ("InteractiveQueue", "BatchQueue", "CompletionsQueue", "DeliveriesQueue", "InteractiveDeadLetters")
HEADER = struct.Struct("!IQ")


@dataclass
class Tokens:
    """An admission whose tokens a test changes."""

    valid: dict[str, str] = field(default_factory=dict)
    is_down: bool = False

    def find(self, token: str) -> Known | None:
        if self.is_down:
            raise ConnectionRefusedError
        return Known(self.valid[token], token) if token in self.valid else None

    def is_valid(self, known: Known) -> bool:
        return self.find(known.digest) == known


@dataclass
class Tunnel:
    port: int
    pin: str
    ca_file: str
    tokens: Tokens
    queues: dict[str, str]
    folder: Path
    lines: list[tuple[str, str, dict[str, Any]]]
    gone: list[tuple[str, str]]
    refused: list[RefusedError] = field(default_factory=list)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def server(self) -> tunnel_wire.Server:
        return tunnel_wire.Server("127.0.0.1", self.port, self.pin)

    def host(self, name: str = "host-b", **changes: Any) -> "Host":
        """A host with a token of its own."""
        token = f"token-of-{name}"
        self.tokens.valid[token] = name
        greeting = replace(Greeting(VERSION, secrets.token_hex(16), token), **changes)
        return Host(
            self, TunnelClient(self.folder / f"{secrets.token_hex(4)}.sock", self.server, greeting, self.refused.append)
        )


class Host:
    def __init__(self, tunnel: Tunnel, client: TunnelClient) -> None:
        self.client = client
        client.start()
        self.call = SocketCaller(client._path, 30)
        tunnel.stack.callback(self.call.close)
        session = make_session()
        Hook(self.call).attach(session)
        self.aws = Backend("engine", session)

    def leave(self) -> None:
        """Close all connections, as the end of its processes does."""
        self.call.close()


@pytest.fixture
def tunnel(engine: Engine, aws: Backend, tmp_path: Path) -> Iterator[Tunnel]:
    queues = {name: aws.client("sqs").create_queue(QueueName=f"rustbox-local-{name}")["QueueUrl"] for name in NAMES}
    aws.client("s3").create_bucket(Bucket=BUCKET)
    folder = tmp_path / "sockets"
    folder.mkdir()
    gone = list[tuple[str, str]]()
    calls = CallSocket(
        folder / "engine.sock",
        engine,
        Policy(local_statements()),
        most_connections=64,
        on_gone=lambda name, problem: gone.append((name, problem)),
    )
    calls.start()
    authority = Authority()
    files = authority.issue(tmp_path, "127.0.0.1")
    (tmp_path / "ca.crt").write_text(authority.pem)
    listener = socket.create_server(("127.0.0.1", 0))
    tokens, lines = Tokens(), list[tuple[str, str, dict[str, Any]]]()
    server = TunnelServer(
        listener,
        tunnel_wire.server_context(files.certificate, files.key),
        tokens,
        Told(VERSION, lambda name: {"NODE_ID": name}),
        folder / "engine.sock",
        str(tmp_path),
        lambda level, text, **fields: lines.append((level, text, fields)),
    )
    server.start()
    pin = tunnel_wire.fingerprint(Path(files.certificate).read_text())
    with contextlib.ExitStack() as stack:
        yield Tunnel(
            listener.getsockname()[1], pin, str(tmp_path / "ca.crt"), tokens, queues, folder, lines, gone, stack=stack
        )
    server.stop()
    calls.close()


def test_a_host_with_a_token_uses_its_queues_and_objects_small_and_large(tunnel: Tunnel, aws: Backend) -> None:
    host = tunnel.host()
    assert host.client.greet() == {"version": VERSION, "name": "host-b", "variables": {"NODE_ID": "host-b"}}
    sqs, url = host.aws.client("sqs"), tunnel.queues["InteractiveQueue"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="run" * 100_000)
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
    assert message["Body"] == "run" * 100_000
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=60)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.send_message(QueueUrl=tunnel.queues["CompletionsQueue"], MessageBody="done")
    for size in (10, 900_000, 20_000_000):
        content = os.urandom(size)
        host.aws.client("s3").put_object(Bucket=BUCKET, Key="outputs/s", Body=content)
        assert aws.client("s3").get_object(Bucket=BUCKET, Key="outputs/s")["Body"].read() == content
        aws.client("s3").put_object(Bucket=BUCKET, Key="judge-inputs/s", Body=content)
        assert host.aws.client("s3").get_object(Bucket=BUCKET, Key="judge-inputs/s")["Body"].read() == content
    with pytest.raises(ClientError, match="NoSuchKey"):
        host.aws.client("s3").get_object(Bucket=BUCKET, Key="judge-inputs/none")


def test_every_call_that_the_policy_does_not_name_is_denied(tunnel: Tunnel) -> None:
    host, denied = tunnel.host(), 0
    for service, operation, params in every_call(tunnel.queues):
        try:
            host.call(service, operation, params)
        except ServiceError as error:
            denied += error.code == "AccessDenied"
    assert denied > 90
    with pytest.raises(ServiceError, match="AccessDenied"):
        host.call("dynamodb", "GetItem", {"TableName": "rustbox-local-RunnersTable", "Key": {}})


def test_the_opener_of_a_host_opens_secrets_of_runs_and_nothing_else(
    tunnel: Tunnel, aws: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opener_at(tunnel.host().client._path, monkeypatch) as opener:
        (written,) = what_it_writes(opener, sealed_for(aws, CONTEXT))
        assert written["value"] == VALUE.decode()
        with pytest.raises(NetworkError, match="may not open secrets"):
            what_it_writes(opener, sealed_for(aws, {**CONTEXT, "purpose": "environment"}))


def held_by_others(aws: Backend, url: str) -> int:
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessagesNotVisible"])


def receive_one(host: Host, url: str) -> dict[str, Any]:
    (message,) = host.call("sqs", "ReceiveMessage", {"QueueUrl": url, "VisibilityTimeout": 600, "WaitTimeSeconds": 5})[
        "Messages"
    ]
    return dict(message)


def test_messages_of_a_host_whose_connections_are_closed_return_at_once(tunnel: Tunnel, aws: Backend) -> None:
    first, second, url = tunnel.host("first"), tunnel.host("second"), tunnel.queues["BatchQueue"]
    for number in range(2):
        aws.client("sqs").send_message(QueueUrl=url, MessageBody=f"{number}")
    receive_one(first, url)
    kept = receive_one(second, url)
    began = time.monotonic()
    first.leave()
    until(lambda: held_by_others(aws, url) == 1)
    assert time.monotonic() - began < 15
    second.call("sqs", "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": kept["ReceiptHandle"]})
    assert held_by_others(aws, url) == 0


def test_a_host_that_sends_nothing_is_gone_and_comes_back(
    tunnel: Tunnel, aws: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel_clients, "SILENT_SECS", 2.0)
    host, url = tunnel.host(), tunnel.queues["BatchQueue"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="run")
    receive_one(host, url)
    until(lambda: held_by_others(aws, url) == 0)
    until(lambda: any(fields.get("problem") == "it sent nothing for 2 s" for _, _, fields in tunnel.lines))
    until(lambda: tunnel.gone == [("host-b", "it sent nothing for 2 s")])
    host.call.close()
    assert receive_one(host, url)["Body"] == "run"


def test_a_message_that_comes_for_a_host_that_is_gone_goes_back(tunnel: Tunnel, aws: Backend) -> None:
    host, url = tunnel.host(), tunnel.queues["BatchQueue"]
    with contextlib.closing(greeted(tunnel, host.client._greeting)) as stream:
        stream.sendall(
            frame(
                {
                    "service": "sqs",
                    "operation": "ReceiveMessage",
                    "params": {"QueueUrl": url, "WaitTimeSeconds": 8, "VisibilityTimeout": 600},
                }
            )
        )
        time.sleep(0.5)
    until(lambda: any(text == "client gone" for _, text, _ in tunnel.lines))
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="run")
    time.sleep(0.5)
    until(lambda: held_by_others(aws, url) == 0)
    assert receive_one(tunnel.host("other"), url)["Body"] == "run"


def test_a_revoked_token_ends_its_connections_and_its_messages_return(tunnel: Tunnel, aws: Backend) -> None:
    host, url = tunnel.host(), tunnel.queues["BatchQueue"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="run")
    receive_one(host, url)
    tunnel.tokens.valid.clear()
    until(lambda: held_by_others(aws, url) == 0)
    host.call.close()
    with pytest.raises(Exception, match="closed"):
        host.call("sqs", "ReceiveMessage", {"QueueUrl": url})
    until(lambda: tunnel.refused)
    assert tunnel.refused[0].code == "token"
    until(lambda: tunnel.gone == [("host-b", "its token was revoked")])


@pytest.mark.parametrize(
    ("changes", "code", "problem"),
    [
        ({"token": "wrong"}, "token", "not valid"),
        ({"version": "1.6.0"}, "version", "upgrade the server"),
        ({"version": "1.2.9"}, "version", "upgrade this client"),
        ({"version": "2.4.2"}, "version", "upgrade the server"),
        ({"version": "new"}, "version", "is none"),
        ({"protocol": 2}, "version", "protocol 1"),
    ],
)
def test_a_refused_host_is_told_why(tunnel: Tunnel, changes: dict[str, Any], code: str, problem: str) -> None:
    with pytest.raises(RefusedError, match=problem) as refused:
        tunnel.host(**changes).client.greet()
    assert refused.value.code == code


@pytest.mark.parametrize("version", ["1.3.0", "1.4.9", "1.5.0"])
def test_neighbouring_versions_work_together(tunnel: Tunnel, version: str) -> None:
    assert tunnel.host(version=version).client.greet()["version"] == VERSION


def test_a_token_is_for_one_process_at_a_time(tunnel: Tunnel) -> None:
    first = tunnel.host()
    first.call("sqs", "ReceiveMessage", {"QueueUrl": tunnel.queues["BatchQueue"]})
    second = tunnel.host()
    with pytest.raises(RefusedError, match="another process uses the token host-b") as refused:
        second.client.greet()
    assert refused.value.code == "busy"
    first.leave()
    until(lambda: is_taken(second))


def is_taken(host: Host) -> bool:
    try:
        host.client.greet()
    except RefusedError:
        return False
    return True


def test_while_tokens_cannot_be_checked_nobody_comes_in_and_nobody_is_sent_away(tunnel: Tunnel) -> None:
    host = tunnel.host()
    host.call("sqs", "ReceiveMessage", {"QueueUrl": tunnel.queues["BatchQueue"]})
    tunnel.tokens.is_down = True
    with pytest.raises(RefusedError) as refused:
        tunnel.host("other").client.greet()
    assert refused.value.code == "unavailable"
    host.call("sqs", "ReceiveMessage", {"QueueUrl": tunnel.queues["BatchQueue"]})


def test_a_server_with_another_certificate_gets_no_token(tunnel: Tunnel) -> None:
    other = replace(tunnel.server, pin="sha256:" + "0" * 64)
    with pytest.raises(tunnel_wire.UntrustedError, match=tunnel.pin):
        tunnel_wire.connect(other)
    with pytest.raises(tunnel_wire.UntrustedError, match="not trusted"):
        tunnel_wire.connect(replace(other, pin=None))
    tunnel_wire.connect(replace(other, pin=None, ca_file=tunnel.ca_file)).close()
    with pytest.raises(tunnel_wire.UntrustedError, match="not trusted"):  # the name is another one
        tunnel_wire.connect(replace(other, host="localhost", pin=None, ca_file=tunnel.ca_file))


# --- hostile peers -------------------------------------------------------------


def frame(message: dict[str, Any] | bytes, *, size: int | None = None, file: int = 0) -> bytes:
    content = message if isinstance(message, bytes) else protocol.encode(message)
    return HEADER.pack(len(content) if size is None else size, file) + content


def greeted(tunnel: Tunnel, greeting: Greeting) -> ssl.SSLSocket:
    """A connection behind its greeting, for frames of any kind."""
    with contextlib.ExitStack() as on_error:
        stream = on_error.enter_context(contextlib.closing(tunnel_wire.connect(tunnel.server)))
        stream.sendall(frame(greeting.message()))
        with Wire(stream, ".").receive(65_536, within_secs=10) as (message, _):
            read_welcome(message)
        stream.settimeout(30)
        on_error.pop_all()
    return stream


def ended(stream: socket.socket) -> bool:
    """Whether the server ended the connection."""
    try:
        return stream.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


CALL = {"service": "sqs", "operation": "ReceiveMessage", "params": {}}


@pytest.mark.parametrize(
    "content",
    [
        HEADER.pack(2**32 - 1, 0),
        HEADER.pack(protocol.MOST_BYTES + 1, 0),
        HEADER.pack(2, 2**40),
        HEADER.pack(2, 128 * 1024 * 1024 + 2) + b"{}",
        frame(b"[]"),
        frame(b"{x}"),
        frame(b"[" * 70_000),
        frame({"client": "00", "release": True}),
        frame({"service": "sqs", "operation": "ReceiveMessage", "params": []}),
        frame({"welcome": {}}),
    ],
)
def test_a_hostile_frame_ends_its_connection_and_no_other(tunnel: Tunnel, content: bytes) -> None:
    host = tunnel.host()
    with contextlib.closing(greeted(tunnel, host.client._greeting)) as stream:
        stream.sendall(content)
        assert ended(stream)
    host.call("sqs", "ReceiveMessage", {"QueueUrl": tunnel.queues["BatchQueue"]})


def test_a_client_cannot_act_for_another_one(tunnel: Tunnel, aws: Backend) -> None:
    host, url = tunnel.host(), tunnel.queues["BatchQueue"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="run")
    receive_one(host, url)
    with contextlib.closing(greeted(tunnel, tunnel.host("hostile").client._greeting)) as stream:
        call = {
            "service": "sqs",
            "operation": "ReceiveMessage",
            "params": {"QueueUrl": url},
            "client": "00",
            "has_file": True,
        }
        stream.sendall(frame(call))
        with Wire(stream, ".").receive(65_536, within_secs=10) as (answer, _):
            assert answer == {"answer": {}}
    assert held_by_others(aws, url) == 1


@pytest.mark.parametrize(
    "content",
    [
        HEADER.pack(4097, 0),
        HEADER.pack(10, 11),
        frame({"token": "x"}),
        frame({"protocol": 1, "version": "1.4.2", "token": "x", "client": "../x"}),
        frame(CALL),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 5000,
    ],
)
def test_a_hostile_greeting_ends_its_connection(tunnel: Tunnel, content: bytes) -> None:
    with contextlib.closing(tunnel_wire.connect(tunnel.server)) as stream:
        stream.sendall(content)
        stream.settimeout(30)
        assert ended(stream)


def test_a_peer_that_greets_by_drops_has_ten_seconds(tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel_server, "_GREETING_SECS", 2.0)
    with (
        contextlib.closing(tunnel_wire.connect(tunnel.server)) as stream,
        socket.create_connection(("127.0.0.1", tunnel.port)) as silent,
    ):
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for octet in frame({"token": "x" * 1000}):
                stream.sendall(bytes([octet]))
                time.sleep(0.1)
        assert 1 < time.monotonic() - began < 60
        silent.settimeout(30)
        assert ended(silent)


def test_peers_without_a_token_replace_one_another_and_keep_nobody_out(tunnel: Tunnel) -> None:
    host = tunnel.host()
    with contextlib.ExitStack() as stack:
        peers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", tunnel.port))) for _ in range(MOST_UNKNOWN + 20)
        ]
        peers[0].settimeout(30)
        assert ended(peers[0])
        host.call("sqs", "ReceiveMessage", {"QueueUrl": tunnel.queues["BatchQueue"]})


def test_a_client_that_opens_many_connections_keeps_no_other_out(tunnel: Tunnel) -> None:
    host, hostile = tunnel.host(), tunnel.host("hostile").client._greeting
    with contextlib.ExitStack() as stack:
        for _ in range(tunnel_clients.MOST_CONNECTIONS_EACH - 10):
            stack.enter_context(contextlib.closing(greeted(tunnel, hostile)))
        for _ in range(10):
            stack.enter_context(contextlib.closing(greeted(tunnel, hostile)))
        with pytest.raises(RefusedError, match="connections already"):
            greeted(tunnel, hostile)
        host.client.greet()


def test_half_frames_and_slow_ones_cost_one_connection(tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.confined.tunnel_wire._STALL_SECS", 1.0)
    host = tunnel.host()
    for content in (frame(CALL)[:-5], HEADER.pack(1000, 0)[:3], frame(b"{}", file=1001) + b"x" * 10):
        with contextlib.closing(greeted(tunnel, host.client._greeting)) as stream:
            stream.sendall(content)
            assert ended(stream)
    host.call("sqs", "ReceiveMessage", {"QueueUrl": tunnel.queues["BatchQueue"]})


def test_bytes_under_way_are_bounded_for_all_and_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.confined.tunnel_clients._WAIT_SECS", 0.1)
    budget = Budget(100)
    with budget.lend("a", 60):  # a single one may have more than its share
        with pytest.raises(TimeoutError), budget.lend("a", 10):
            pass
        with budget.lend("b", 20), budget.lend("b", 5), pytest.raises(TimeoutError), budget.lend("b", 1):
            pass
        with pytest.raises(TimeoutError), budget.lend("c", 50):
            pass
    with budget.lend("c", 100):
        pass


def test_bytes_that_get_free_are_lent_to_those_that_wait() -> None:
    budget, got = Budget(100), threading.Event()

    def wait() -> None:
        with budget.lend("b", 50):
            got.set()

    with budget.lend("a", 80):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not got.wait(0.2)
    assert got.wait(10)
    thread.join()


def test_many_hosts_work_at_once(tunnel: Tunnel, aws: Backend) -> None:
    url, done = tunnel.queues["BatchQueue"], tunnel.queues["CompletionsQueue"]
    for number in range(60):
        aws.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
    hosts = [tunnel.host(f"host-{number}") for number in range(3)]
    threads = [threading.Thread(target=_work, args=(host.call, url, done)) for host in hosts for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = aws.client("sqs").get_queue_attributes(QueueUrl=done, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessages"] == "60"


def _work(call: Callable[[str, str, dict[str, Any]], Any], url: str, done: str) -> None:
    while messages := call("sqs", "ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 1}).get("Messages"):
        call("sqs", "SendMessage", {"QueueUrl": done, "MessageBody": messages[0]["Body"]})
        call("sqs", "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": messages[0]["ReceiptHandle"]})
