"""A run as the proxy sees it: a net namespace like that of a guest, with its listeners. The test is the program."""

import os
import socket
import struct
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

import dns.message
import dns.rdatatype

from sandbox_runtime.network.model import (
    DNS_PORT,
    NAME_SERVER,
    POOL,
    AllowedHost,
    Listener,
    ListenerKind,
    NetworkEvidence,
    NetworkTable,
)
from sandbox_runtime.network.proxy import EgressProxy
from tests.jail.egress import links

PATIENCE_SECS = 60.0


class GuestRun:
    """Enter it: the run is open at the proxy. `end` closes it, and so does leaving.

    `is_contained`: no control of the proxy is off.
    """

    def __init__(
        self, proxy: EgressProxy, runner_namespace: int, hosts: Sequence[AllowedHost], *, is_contained: bool = True
    ) -> None:
        self.is_contained = is_contained
        self._proxy, self._runner_namespace, self._hosts = proxy, runner_namespace, hosts
        self._stack = ExitStack()
        self._run_id = uuid.uuid4().hex
        self._evidence: NetworkEvidence | None = None

    def __enter__(self) -> Self:
        self._namespace = links.new_namespace()
        self._stack.callback(os.close, self._namespace)
        with ExitStack() as stack, links.inside(self._namespace):
            links.make_local(str(POOL))
            listeners = _open_listeners(self._hosts)
            for _, opened in listeners:
                stack.enter_context(opened)
            served = [Listener(opened.fileno(), kind, opened.getsockname()[1]) for kind, opened in listeners]
            with links.inside(self._runner_namespace):
                self._proxy.open_run(self._run_id, self._hosts, served)
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self.end()

    def end(self) -> NetworkEvidence:
        """Close the run at the proxy, as after the end of its program."""
        if self._evidence is None:
            self._evidence = NetworkEvidence()  # after an error it is not closed again
            self._evidence = self._proxy.close_run(self._run_id)
        return self._evidence

    def new_socket(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """Make a socket of the program."""
        with links.inside(self._namespace):
            made = self._stack.enter_context(socket.socket(socket.AF_INET, kind))
        made.settimeout(PATIENCE_SECS)
        return made

    def connect_to(self, address: str, port: int) -> socket.socket:
        """Connect to an address. Raises OSError."""
        made = self.new_socket()
        made.connect((address, port))
        return made

    def connect(self, name: str, port: int) -> socket.socket:
        """Look a name up and connect. Raises OSError, and LookupError for a name that does not exist."""
        return self.connect_to(self.look_up(name), port)

    def look_up(self, name: str) -> str:
        """Return the address of a name."""
        answer = self.query(name, "A").answer
        if not answer:
            raise LookupError(name)
        return str(answer[0][0])

    def query(self, name: str, kind: str) -> dns.message.Message:
        """Ask over UDP."""
        asking = self.new_socket(socket.SOCK_DGRAM)
        asking.connect((NAME_SERVER, DNS_PORT))
        query = dns.message.make_query(name, kind)
        asking.send(query.to_wire())
        answer = dns.message.from_wire(asking.recv(4096))
        asking.close()
        return answer

    def stays_open(self, connected: socket.socket) -> bool:
        """Whether nothing happens on a connection. The contained one may take its time to be reset."""
        connected.settimeout(PATIENCE_SECS if self.is_contained else 1.5)
        try:
            return bool(connected.recv(1))
        except TimeoutError:
            return True
        except OSError:
            return False

    def connect_dns(self) -> socket.socket:
        """Connect for queries over TCP."""
        return self.connect_to(NAME_SERVER, DNS_PORT)


def framed(query: bytes) -> bytes:
    """Return a query as TCP has it."""
    return struct.pack("!H", len(query)) + query


def read_all(connected: socket.socket) -> bytes:
    """Read until the end. Raises OSError."""
    found = b""
    while data := connected.recv(1 << 16):
        found += data
    return found


def _open_listeners(hosts: Sequence[AllowedHost]) -> list[tuple[ListenerKind, socket.socket]]:
    table = NetworkTable.of(hosts)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((NAME_SERVER, DNS_PORT))
    return [
        ("dns_udp", datagrams),
        ("dns_tcp", _listen(NAME_SERVER, DNS_PORT)),
        *(("literal", _listen(address, port)) for _, port, address in table.literals),
        *(("wildcard", _listen("", port)) for port in dict.fromkeys(port for _, port in table.wildcards)),
    ]


def _listen(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), reuse_port=True, backlog=64)
