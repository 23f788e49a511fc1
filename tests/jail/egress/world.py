"""The network outside a runner, for tests of the egress proxy: two net namespaces, and no packet leaves them.

`runner`: the proxy is started there. A resolver of the test answers on its loopback, and a pair of interfaces leads to
`outside`: there every address of LOCAL answers, private ones and the metadata service alike. An address of BLACK_HOLE
never answers, one of UNREACHABLE has no route.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Self

from tests.jail.egress import links
from tests.jail.egress.resolver import Resolver
from tests.until import until

RESOLVER = ("127.0.0.1", 5353)
TARGET, OWN_ADDRESS, BLACK_HOLE, UNREACHABLE = "93.184.216.34", "93.184.219.1", "93.184.217.1", "93.184.218.1"
TARGET_V6, OWN_ADDRESS_V6 = "2600:1f18::1", "2600:ffff::1"
LOCAL = (
    *("93.184.216.0/24", "10.0.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
    *("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("240.0.0.0/8", "2600:1f18::/32", "2001::/23", "2001:db8::/32", "2002::/16", "64:ff9b::/96", "64:ff9b:1::/48"),
    *("fc00::/8", "fd00:ec2::/32", "fec0::/10", "3fff::/20", "100::/64"),
)
ECHO, ENDLESS, SINK, SILENT, HANG_UP, CLOSED, GREETING = 7, 19, 9, 11, 12, 81, 80
_ESTABLISHED, _CLOSE_WAIT = 1, 8  # netinet/tcp.h
BANNER = b"answer of the world"
_LINK = ("10.255.255.1/30", "10.255.255.2/30", "fdff::1/64", "fdff::2/64")


class World:
    """Enter it. `resolver`: what names resolve to. `received`: the bytes that each port of `outside` got."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.received: dict[int, int] = {}

    def __enter__(self) -> Self:
        self.runner, self.outside = links.new_namespace(), links.new_namespace()
        for namespace in (self.runner, self.outside):
            self._stack.callback(os.close, namespace)
        with links.inside(self.runner):
            links.add_pair("w0", "t0", self.outside)
            for address in (_LINK[0], _LINK[2], f"{OWN_ADDRESS}/24", f"{OWN_ADDRESS_V6}/128"):
                links.add_address("w0", address)
            links.raise_interface("w0")
        with links.inside(self.outside):
            links.add_address("t0", _LINK[1])
            links.add_address("t0", _LINK[3])
            links.raise_interface("t0")
            for network in LOCAL:
                links.make_local(network)
            links.add_gateway(_LINK[0])
            links.add_gateway(_LINK[2])
        with links.inside(self.runner):
            links.add_gateway(_LINK[1])
            links.add_gateway(_LINK[3])
            links.make_unreachable("93.184.218.0/24")
            self.resolver = self._stack.enter_context(Resolver(RESOLVER))
        for namespace in (self.runner, self.outside):
            for port, serve in _SERVERS.items():
                self.serve(namespace, port, serve)
        until(self._is_connected)  # the interfaces take a moment
        return self

    def _is_connected(self) -> bool:
        with links.inside(self.runner):
            sockets = [socket.socket(family) for family in (socket.AF_INET, socket.AF_INET6)]
        with sockets[0], sockets[1], suppress(OSError):
            for connecting, address in zip(sockets, (TARGET, TARGET_V6), strict=True):
                connecting.settimeout(0.2)
                connecting.connect((address, GREETING))
            return True
        return False

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self, namespace: int, port: int, serve: Callable[["World", socket.socket], None]) -> None:
        """Serve each connection to a port, on every address, in a thread."""
        with links.inside(namespace):
            listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        self._stack.callback(_stop, listener)

        def serve_quietly(connected: socket.socket) -> None:
            with connected, suppress(OSError):
                serve(self, connected)

        def accept() -> None:
            with listener, suppress(OSError):
                while True:
                    connected, _ = listener.accept()
                    threading.Thread(target=serve_quietly, args=(connected,), daemon=True).start()

        listener.settimeout(None)
        threading.Thread(target=accept, daemon=True).start()

    def count(self, connected: socket.socket, received: int) -> None:
        """Count bytes that a server got."""
        port = connected.getsockname()[1]
        self.received[port] = self.received.get(port, 0) + received

    def wait_for(self, port: int, received: int) -> None:
        """Wait until a port has so many bytes in all."""
        until(lambda: self.received.get(port, 0) == received, lambda: self.received)


def _stop(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _greet(_: World, connected: socket.socket) -> None:
    connected.sendall(BANNER)


def _echo(world: World, connected: socket.socket) -> None:
    while data := connected.recv(1 << 16):
        world.count(connected, len(data))
        connected.sendall(data)


def _send_endlessly(_: World, connected: socket.socket) -> None:
    while True:
        connected.sendall(bytes(1 << 16))


def _swallow(world: World, connected: socket.socket) -> None:
    while data := connected.recv(1 << 16):
        world.count(connected, len(data))


def _read_nothing(_: World, connected: socket.socket) -> None:
    with suppress(TimeoutError):
        connected.settimeout(None)
        while connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in {_ESTABLISHED, _CLOSE_WAIT}:
            time.sleep(0.02)


def _hang_up(_: World, connected: socket.socket) -> None:
    connected.recv(1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


_SERVERS: dict[int, Callable[[World, socket.socket], None]] = {
    GREETING: _greet,
    ECHO: _echo,
    ENDLESS: _send_endlessly,
    SINK: _swallow,
    SILENT: _read_nothing,
    HANG_UP: _hang_up,
}
