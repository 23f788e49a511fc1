"""The sockets that the programs of one run send their DNS queries to, over UDP and TCP."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

import dns.rcode

from sandbox_runtime.network.model import DNS_PORT, NAME_SERVER, Refusal
from sandbox_runtime.network.proxy.process.dns_answers import MAX_QUERY_BYTES, answer, error_answer, is_query
from sandbox_runtime.network.proxy.process.names import NameTable
from sandbox_runtime.network.proxy.process.poll import READ, Poll
from sandbox_runtime.network.proxy.process.record import Record
from sandbox_runtime.network.proxy.process.sockets import reset
from sandbox_runtime.network.proxy.settings import RunLimits

_MAX_TCP_CLIENTS: Final = 4
_LENGTH: Final = struct.Struct("!H")


class NameService:
    """Owns the sockets. It refuses the first query past the limit, and closes them: each further one fails at once."""

    def __init__(self, poll: Poll, names: NameTable, record: Record, limits: RunLimits) -> None:
        self._poll, self._names, self._record, self._limits = poll, names, record, limits
        self._queries_left = limits.queries
        self._sockets: list[socket.socket] = []
        self._clients: set[_TcpClient] = set()

    def add_udp(self, bound: socket.socket) -> None:
        """Answer the datagrams of this socket."""
        self._sockets.append(bound)
        self._poll.watch(bound, READ, lambda: self._answer_datagram(bound))

    def add_tcp(self, listener: socket.socket) -> None:
        """Answer the queries of the connections to this socket."""
        self._sockets.append(listener)
        self._poll.watch(listener, READ, lambda: self._accept(listener))

    def _answer_datagram(self, bound: socket.socket) -> None:
        with contextlib.suppress(OSError):  # of an earlier answer, or no room for this one
            # One byte more shows that a query is too long.
            query, sender = bound.recvfrom(MAX_QUERY_BYTES + 1)
            found = self.answer(query)
            if found is not None:
                bound.sendto(found, sender)
        self.close_if_used_up()

    def answer(self, query: bytes) -> bytes | None:
        """Answer one query of the run's bounded number."""
        self._queries_left -= 1
        if self._queries_left >= 0:
            return answer(query, self._names, self._record)
        self._record.refuse(Refusal.TOO_MANY_QUERIES, address=NAME_SERVER, port=DNS_PORT)
        return error_answer(query, dns.rcode.REFUSED) if is_query(query) else None

    def close_if_used_up(self) -> None:
        """Close after the first query too many."""
        if self._queries_left < 0:
            self.close()

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        if len(self._clients) >= _MAX_TCP_CLIENTS:
            reset(accepted)
            return
        accepted.setblocking(False)
        self._clients.add(_TcpClient(accepted, self._poll, self, self._limits.connect_secs, self._clients.discard))

    def tick(self, now: float) -> None:
        """Close connections without a query for some time."""
        for client in [client for client in self._clients if now >= client.deadline]:
            client.close()

    def close(self) -> None:
        """Close all sockets."""
        for owned in self._sockets:
            self._poll.forget(owned)
            owned.close()
        self._sockets.clear()
        for client in list(self._clients):
            client.close()


class _TcpClient:
    """One connection: each message has its length in front of it (RFC 7766)."""

    def __init__(
        self,
        connected: socket.socket,
        poll: Poll,
        service: NameService,
        idle_secs: float,
        on_close: Callable[["_TcpClient"], None],
    ) -> None:
        self._socket, self._poll, self._service = connected, poll, service
        self._idle_secs, self._on_close = idle_secs, on_close
        self._received = b""
        self.deadline = time.monotonic() + idle_secs
        poll.watch(connected, READ, self._read)

    def _read(self) -> None:
        """Read what is missing of one message, so that one event is one query."""
        try:
            data = self._socket.recv(self._missing_bytes())
            self._received += data
            if not data:
                self.close()
            elif len(self._received) >= _LENGTH.size and not self._missing_bytes():
                self._answer_message(self._received[_LENGTH.size :])
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            self.close()

    def _missing_bytes(self) -> int:
        """Raises ValueError for a message that is too long."""
        if len(self._received) < _LENGTH.size:
            return _LENGTH.size - len(self._received)
        length = _LENGTH.unpack_from(self._received)[0]
        if length > MAX_QUERY_BYTES:
            raise ValueError
        return int(length) + _LENGTH.size - len(self._received)

    def _answer_message(self, query: bytes) -> None:
        self._received = b""
        self.deadline = time.monotonic() + self._idle_secs
        found = self._service.answer(query)
        if found is None:
            self.close()
            return
        message = _LENGTH.pack(len(found)) + found
        if self._socket.send(message) < len(message):  # the program does not read its answers
            self.close()
        self._service.close_if_used_up()

    def close(self) -> None:
        """Reset the connection. Repeating the call is safe."""
        self._on_close(self)
        if self._socket.fileno() >= 0:
            self._poll.forget(self._socket)
            self._socket.close()
