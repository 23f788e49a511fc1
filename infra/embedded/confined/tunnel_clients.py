"""The clients that are connected now: their connections, and whether they are still there.

A client is gone when all its connections are closed, when it sends nothing for 30 s, or when its token is revoked.
"""

import secrets
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Final, NamedTuple

from infra.embedded.confined.tunnel_wire import RefusedError

# How many bytes may be under way at once, for all clients and for one of them.

_WAIT_SECS: Final = 30.0


class Budget:
    """Lends bytes. A client has a quarter of all at most, or one request if that is larger."""

    def __init__(self, total: int) -> None:
        self._left = total
        self._share = total // 4
        self._lent: dict[str, int] = {}
        self._changed = threading.Condition()

    @contextmanager
    def lend(self, client: str, count: int) -> Iterator[None]:
        """Lend bytes to a client within the block. Raises TimeoutError where none get free for 30 s."""
        if not count:
            yield
            return
        deadline = monotonic() + _WAIT_SECS
        with self._changed:
            while not self._may_lend(client, count):
                if not self._changed.wait(deadline - monotonic()):
                    raise TimeoutError("too many bytes are under way")
            self._left -= count
            self._lent[client] = self._lent.get(client, 0) + count
        try:
            yield
        finally:
            with self._changed:
                self._left += count
                self._lent[client] -= count
                if not self._lent[client]:
                    del self._lent[client]
                self._changed.notify_all()

    def _may_lend(self, client: str, count: int) -> bool:
        lent = self._lent.get(client, 0)
        return count <= self._left and (lent == 0 or lent + count <= self._share)


# Connections whose peer has shown no token yet: few, for a short time, and none at the cost of another address.

MOST_UNKNOWN: Final = 64


class UnknownPeers:
    """Duplicates of the sockets of unknown peers, oldest first, with the addresses of their hosts.

    Over MOST_UNKNOWN, a new one replaces the oldest of the host that has most. So a single host replaces its own.
    """

    def __init__(self) -> None:
        self._hosts: dict[socket.socket, str] = {}
        self._lock = Lock()

    def add(self, duplicate: socket.socket, host: str) -> None:
        with self._lock:
            if len(self._hosts) >= MOST_UNKNOWN:
                hosts = list(self._hosts.values())
                most = max(set(hosts), key=hosts.count)
                oldest = next(each for each, of_host in self._hosts.items() if of_host == most)
                del self._hosts[oldest]
                end(oldest)
            self._hosts[duplicate] = host

    def remove(self, duplicate: socket.socket) -> None:
        """Remove a connection that ended, or whose peer is known now."""
        with self._lock:
            self._hosts.pop(duplicate, None)


def end(duplicate: socket.socket) -> None:
    """End a connection, whichever thread uses it: that one wakes, and closes it."""
    with suppress(OSError):
        duplicate.shutdown(socket.SHUT_RDWR)


SILENT_SECS: Final = 30.0
"""A worker extends its messages more often, and usually polls once a second."""
UNCONNECTED_SECS: Final = 2.0
MOST_CLIENTS: Final = 64
MOST_CONNECTIONS_EACH: Final = 64


class Known(NamedTuple):
    """A valid token: its name, and what tells it from another one of this name."""

    name: str
    digest: str


@dataclass(eq=False, slots=True)
class Client:
    """`known`: its token. `instance`: of its process. `holder`: how the engine calls it.

    `connections`: duplicates of its sockets.
    """

    known: Known
    instance: str
    host: str
    holder: str = field(default_factory=lambda: secrets.token_hex(16))
    seen_at: float = field(default_factory=monotonic)
    connections: set[socket.socket] = field(default_factory=set)
    has_ended: bool = False

    @property
    def name(self) -> str:
        return self.known.name

    def touch(self) -> None:
        self.seen_at = monotonic()


class Clients:
    """All clients, by name. Safe for threads."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._lock = Lock()

    @contextmanager
    def connected(
        self, known: Known, instance: str, host: str, duplicate: socket.socket
    ) -> Iterator[tuple[Client, bool]]:
        """Count a connection within the block. Yields its client, and whether it is new. Raises RefusedError."""
        with self._lock:
            client, is_new = self._find(known, instance, host)
            client.connections.add(duplicate)
            client.touch()
        try:
            yield client, is_new
        finally:
            with self._lock:
                client.connections.discard(duplicate)

    def _find(self, known: Known, instance: str, host: str) -> tuple[Client, bool]:
        client = self._clients.get(known.name)
        if client is None:
            if len(self._clients) >= MOST_CLIENTS:
                raise RefusedError("full", f"the server has {MOST_CLIENTS} clients already")
            self._clients[known.name] = client = Client(known, instance, host)
            return client, True
        if client.instance != instance:
            problem = f"another process uses the token {known.name}, from {client.host}: make one for each"
            raise RefusedError("busy", problem)
        if len(client.connections) >= MOST_CONNECTIONS_EACH:
            raise RefusedError("full", f"this client has {MOST_CONNECTIONS_EACH} connections already")
        return client, False

    def all(self) -> list[Client]:
        with self._lock:
            return list(self._clients.values())

    def take_gone(self) -> list[tuple[Client, str]]:
        """End the clients that are gone. Returns them with the reason."""
        with self._lock:
            self._end_closed()
            now = monotonic()
            gone = []
            for client in self._clients.values():
                silent_secs = now - client.seen_at
                if silent_secs > SILENT_SECS:
                    gone.append((client, f"it sent nothing for {SILENT_SECS:.0f} s"))
                elif not client.connections and silent_secs > UNCONNECTED_SECS:
                    gone.append((client, "its connections are closed"))
            for client, _ in gone:
                self._end(client)
        return gone

    def end(self, client: Client) -> None:
        """End a client: its connections close."""
        with self._lock:
            self._end(client)

    def _end(self, client: Client) -> None:
        client.has_ended = True
        if self._clients.get(client.name) is client:
            del self._clients[client.name]
        for duplicate in client.connections:
            end(duplicate)

    def _end_closed(self) -> None:
        """Forget connections that the peer has closed: their threads may wait for an answer of the engine."""
        poller, by_descriptor = select.poll(), {}
        for client in self._clients.values():
            for duplicate in client.connections:
                poller.register(duplicate, select.POLLRDHUP)
                by_descriptor[duplicate.fileno()] = client, duplicate
        for descriptor, _ in poller.poll(0):
            client, duplicate = by_descriptor[descriptor]
            client.connections.discard(duplicate)
            end(duplicate)
