"""A host's network for tests: a net namespace in which every address of the world answers. No packet leaves it.

A guest that got there would find the metadata service, the host's own servers, private and public addresses alike.
"""

import errno
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from tests.jail.weakened.namespaces import make_all_addresses_local

ENGINE_PORT = 4566
TCP_PORTS = (53, 80, 443, ENGINE_PORT)
UDP_PORTS = (53, 443, 5353)
ABSTRACT_NAME = "\0world"
_IPV6_FREEBIND = 78
ANSWER = b"answer of the world"


class World:
    """Enter it, then call `run`: one thread of its own is in the namespace, with all that it starts."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._sockets = ExitStack()

    def run[**P, R](self, call: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        """Call a function in the world."""
        return self._thread.submit(call, *arguments, **options).result()

    def __enter__(self) -> Self:
        self.run(self._enter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self._sockets.close()

    def _enter(self) -> None:
        os.unshare(os.CLONE_NEWNET)
        make_all_addresses_local()
        for port in TCP_PORTS:
            self._serve(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True), answer_stream)
        for port in UDP_PORTS:
            datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            datagrams.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)  # answers come from any address
            datagrams.bind(("::", port))
            self._serve(datagrams, answer_datagram)
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(ABSTRACT_NAME)
        abstract.listen()
        self._serve(abstract, answer_stream)

    def _serve(self, opened: socket.socket, answer: Callable[[socket.socket], None]) -> None:
        self._sockets.callback(stop, opened)
        serve(opened, answer)


def stop(opened: socket.socket) -> None:
    """End the thread that serves a socket."""
    with suppress(OSError):  # a datagram socket has no peer
        opened.shutdown(socket.SHUT_RDWR)


def answer_stream(listener: socket.socket) -> None:
    """Accept one connection, and send ANSWER."""
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.sendall(ANSWER)


def answer_datagram(datagrams: socket.socket) -> None:
    """Answer one datagram, from the address that it was sent to. Raises OSError after `stop`."""
    _, ancillary, _, sender = datagrams.recvmsg(2048, 1024)
    if sender is None:  # a socket that was shut down reads nothing for ever
        raise OSError(errno.ESHUTDOWN, "the socket is shut down")
    with suppress(OSError):
        datagrams.sendmsg([ANSWER], ancillary, 0, sender)


def serve(opened: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    """Answer until the socket is shut down or closed, then close it."""
    opened.setblocking(True)  # tests have a default timeout

    def forever() -> None:
        with opened, suppress(OSError):
            while True:
                answer(opened)

    threading.Thread(target=forever, daemon=True).start()
