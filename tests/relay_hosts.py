"""A host with TLS on the loopback for tests of the relay, and a relay's connection to it, without the egress proxy."""

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from sandbox_runtime.network.relay.exchange import Exchange, SecretUse
from sandbox_runtime.network.relay.rules import OpenSecret, Secret

VALUE = b'ghp_s3cret/Value+of=9bytes"quoted'

type Serve = Callable[[ssl.SSLSocket], None]


@dataclass
class Host:
    """Serves each connection by `serve`. `port`: of the loopback. `seen`: what `remember` appended."""

    serve: Serve
    context: ssl.SSLContext
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def run(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        try:
            with self.context.wrap_socket(accepted, server_side=True) as secure:
                self.serve(secure)
        except OSError:
            accepted.close()


@dataclass
class Relayed:
    """The evidence of a secret, and how a program connects to its alias. Each connection has its own thread."""

    use: SecretUse
    connect: Callable[[], socket.socket]
    connect_to: Callable[[int], socket.socket] = field(default=lambda _: socket.socket())


@contextmanager
def relayed(serve: Serve, contexts: tuple[ssl.SSLContext, ssl.SSLContext], secret: Secret) -> Iterator[Relayed]:
    """Serve a host, and connect programs to it by the relay. `contexts`: of the host and of the relay."""
    use, opened = SecretUse(), OpenSecret.of(secret, VALUE)
    host = Host(serve, contexts[0])
    threading.Thread(target=host.run, daemon=True).start()

    def connect_to(port: int) -> socket.socket:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the egress proxy does
            program = socket.create_connection(listener.getsockname(), timeout=60)
            accepted, _ = listener.accept()
        tunnel = socket.create_connection(("127.0.0.1", port), timeout=60)
        tunnel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        exchange = Exchange(accepted, tunnel, opened, contexts[1], use)
        threading.Thread(target=drive, args=(exchange,), daemon=True).start()
        return program

    try:
        yield Relayed(use, lambda: connect_to(host.listener.getsockname()[1]), connect_to)
    finally:
        host.listener.close()


def drive(exchange: Exchange) -> None:
    """Serve one connection, as the loop of a relay does."""
    for wanted in exchange.serve():
        poll = select.poll()
        for waited, events in wanted:
            poll.register(waited, events)
        poll.poll(10_000 if exchange.release_at is None else max(0, 1_000 * (exchange.release_at - monotonic())))


def read_head(stream: ssl.SSLSocket) -> bytes:
    """Read a request's head, without a body."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = stream.recv(65_536)
        if not part:
            return b""
        head += part
    return head


def read_to_end(program: socket.socket) -> bytes:
    """Read what a program gets, up to the end or the reset of its connection."""
    data = b""
    try:
        while part := program.recv(65_536):
            data += part
    except OSError:
        data += b"<reset>"
    return data
