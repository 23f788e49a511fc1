"""The sockets that the programs of one run send their DNS queries to, over UDP and TCP."""

import contextlib
import re
import socket
import struct
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Final

import dns.exception
import dns.flags
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from sandbox_runtime.network.model import (
    DNS_PORT,
    FIRST_WILDCARD_ADDRESS,
    NAME_SERVER,
    AllowedHost,
    NetworkTable,
    Refusal,
)
from sandbox_runtime.network.proxy.process.record import Record
from sandbox_runtime.network.proxy.process.sockets import READ, Poll, reset
from sandbox_runtime.network.proxy.settings import RunLimits

# The names of one run, and the addresses of the pool that stand for them.

_MAX_NAME_CHARS = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_host_name(name: str) -> bool:
    """Whether this is a name of at least two labels, in lower case, and no address literal."""
    labels = name.split(".")
    return (
        len(name) <= _MAX_NAME_CHARS
        and len(labels) > 1
        and all(map(_LABEL.fullmatch, labels))
        and not labels[-1].isdigit()
    )


class NameTable:
    """Maps names to addresses and back. A name below a wildcard gets its address at its first look-up."""

    def __init__(self, hosts: Sequence[AllowedHost], limits: RunLimits) -> None:
        table = NetworkTable.of(hosts)
        self._limits = limits
        self._addresses = {name: address for name, _, address in table.literals}
        self._names = {address: name for name, address in self._addresses.items()}
        self._literals = {(name, port) for name, port, _ in table.literals}
        self._wildcards = {(f".{suffix}", port) for suffix, port in table.wildcards}
        self._wildcard_names = 0

    def refusal(self, name: str) -> Refusal | None:
        """Return why a name does not exist in this run; None if it does."""
        if name in self._addresses:
            return None
        suffixes = [suffix for suffix, _ in self._wildcards if name.endswith(suffix)]
        if not suffixes or not is_host_name(name):
            return Refusal.NOT_ALLOWED
        if len(name) - max(map(len, suffixes)) > self._limits.wildcard_chars:
            return Refusal.NAME_TOO_LONG
        return Refusal.TOO_MANY_NAMES if self._wildcard_names >= self._limits.wildcard_names else None

    def address_of(self, name: str) -> str:
        """Return the address of a name without a refusal."""
        if name not in self._addresses:
            address = str(IPv4Address(FIRST_WILDCARD_ADDRESS) + self._wildcard_names)
            self._wildcard_names += 1
            self._addresses[name], self._names[address] = address, name
        return self._addresses[name]

    def name_of(self, address: str) -> str | None:
        """Return the name that an address stands for."""
        return self._names.get(address)

    def allows(self, name: str, port: int) -> bool:
        """Whether the run may connect to this port of a name of its table."""
        if (name, port) in self._literals:
            return True
        return any(port == allowed and name.endswith(suffix) for suffix, allowed in self._wildcards)


# Answer one DNS query of a program. It is hostile: it is bounded, and only its header and question are read.
#
# dnspython's parser of whole messages is not used. For some operations it imports modules, which this process cannot.

MAX_QUERY_BYTES: Final = 1_232  # the most that fits into one packet everywhere; ordinary queries have fewer than 100
_TTL_SECS: Final = 5
_HEADER: Final = struct.Struct("!HHHHHH")
_TYPE: Final = struct.Struct("!HH")
_ADDRESS: Final = struct.Struct("!HHHIH")  # a pointer to the name, type, class, TTL, length
_NAME_OF_QUESTION: Final = 0xC00C
# The kept bits of a query's flags: opcode and "recursion desired".
_KEPT_FLAGS: Final = 0x7900


def answer(query: bytes, names: NameTable, record: Record) -> bytes | None:
    """Return the answer, or None where no answer may be given, such as to an answer.

    EDNS is not supported, so a query's OPT record is ignored, as by servers of before (RFC 6891, section 7).
    """
    if not is_query(query):
        return None
    refusal = _refusal_by_header(query)
    if refusal is not None:
        return error_answer(query, refusal)
    try:
        name, length = dns.name.from_wire(query, _HEADER.size)
        kind, group = _TYPE.unpack_from(query, _HEADER.size + length)
    except (dns.exception.DNSException, struct.error):
        return error_answer(query, dns.rcode.FORMERR)
    return _answer_question(query, name, kind, group, names, record)


def is_query(message: bytes) -> bool:
    """Whether this may be answered: a whole header, and not that of an answer."""
    return len(message) >= _HEADER.size and not message[2] & (dns.flags.QR >> 8)


def _refusal_by_header(query: bytes) -> dns.rcode.Rcode | None:
    """Return the error of a query that is not an ordinary one with one question."""
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(query)
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    is_ordinary = (questions, answers, authorities) == (1, 0, 0) and not flags & dns.flags.TC
    return None if is_ordinary and len(query) <= MAX_QUERY_BYTES else dns.rcode.FORMERR


def _answer_question(
    query: bytes, name: dns.name.Name, kind: int, group: int, names: NameTable, record: Record
) -> bytes:
    """Answer the question for a name, of this type and class."""
    text = name.to_text(omit_final_dot=True).lower()
    refusal = names.refusal(text) if group == dns.rdataclass.IN else None
    code, answers = dns.rcode.NOERROR, b""
    if group != dns.rdataclass.IN:
        code = dns.rcode.REFUSED
    elif refusal is not None:
        record.refuse(refusal, name=text)
        code = dns.rcode.NXDOMAIN
    elif kind == dns.rdatatype.A:
        answers = _ADDRESS.pack(_NAME_OF_QUESTION, kind, group, _TTL_SECS, 4)
        answers += socket.inet_aton(names.address_of(text))
    # By hand, in a quarter of the time of dnspython: every connection of a program waits for two answers.
    number, flags = struct.unpack_from("!HH", query)
    flags = dns.flags.QR | (flags & dns.flags.RD) | dns.flags.RA | code
    header = _HEADER.pack(number, flags, 1, bool(answers), 0, 0)
    return header + (name.to_wire() or b"") + _TYPE.pack(kind, group) + answers


def error_answer(query: bytes, code: int) -> bytes:
    """Return an answer of a header only: the query's own content is not repeated."""
    number, flags = struct.unpack_from("!HH", query)
    return _HEADER.pack(number, dns.flags.QR | (flags & _KEPT_FLAGS) | code, 0, 0, 0, 0)


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
