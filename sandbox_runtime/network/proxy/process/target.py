"""From a name and a port to a connected socket: look the name up, check its addresses, connect to one of them."""

import contextlib
import errno
import ipaddress
import secrets
import socket
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from events.addresses import is_public
from sandbox_runtime.network.model import Failure
from sandbox_runtime.network.proxy.process.sockets import READ, WRITE, Poll, bound_buffers, reset
from sandbox_runtime.network.proxy.settings import HOST_NAME, ProxySettings

# Look up the real addresses of one name: A and AAAA queries to the resolvers of the host, over UDP, else TCP.

# Whether an address is of another host, by the routing tables of this one.

# Numbers of rtnetlink, section 7 of the manual.
_NETLINK_ROUTE, _RTM_NEWROUTE, _RTM_GETROUTE, _NLM_F_REQUEST, _NLMSG_ERROR = 0, 24, 26, 1, 2
_RTA_DST, _RTN_UNICAST = 1, 1
_HEADER, _ROUTE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBBBBBI"), struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_TYPE_OFFSET = _HEADER.size + 7
# A connect fails with the same errors. The last two: the host has no IPv6.
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.EAFNOSUPPORT}


class Routes:
    """Asks the kernel for the kind of an address in the routing tables of the host."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def is_elsewhere(self, address: str) -> bool:
        """Whether the address is of another host: neither of an interface of this one, nor a broadcast address.

        An address without a route is, too: connecting to it fails.
        """
        parsed = ipaddress.ip_address(address)
        self._socket.send(_route_request(parsed))
        answer = self._socket.recv(4_096)
        kind = _HEADER.unpack_from(answer)[1]
        if kind == _NLMSG_ERROR:
            return -_ERROR.unpack_from(answer, _HEADER.size)[0] in _NO_ROUTE
        return kind == _RTM_NEWROUTE and answer[_TYPE_OFFSET] == _RTN_UNICAST


def _route_request(address: IPv4Address | IPv6Address) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - versions of IP
    route = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(address.packed), _RTA_DST) + address.packed
    length = _HEADER.size + len(route) + len(attribute)
    return _HEADER.pack(length, _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + route + attribute


type Address = tuple[str, int]
type Outcome = tuple[str, ...] | Failure
"""All addresses of a name, or why there are none."""

_TYPES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)
_ATTEMPT_SECS: Final = 2.0
_ROUNDS: Final = 2
_UDP_BYTES: Final = 1_232
# 200 records. Parsing is the only long step of this process, and the answer may be a hostile server's.
_TCP_BYTES: Final = 4_096
_LENGTH: Final = struct.Struct("!H")
_DNS_PORT: Final = 53
_MAX_RESOLVERS: Final = 3


def system_resolvers(text: str | None = None) -> tuple[Address, ...]:
    """Return the resolvers of /etc/resolv.conf, or of its content, resolv.conf(5)."""
    if text is None:
        text = ""
        with contextlib.suppress(OSError):
            text = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace")
    lines = (line.split() for line in text.splitlines())
    found = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1])]
    return tuple((address, _DNS_PORT) for address in found[:_MAX_RESOLVERS]) or (("127.0.0.1", _DNS_PORT),)


def _is_address(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ip_address(text))
    return False


class LookUp:
    """Asks one resolver after the other until each type has an answer. Calls `done` once, after `start`."""

    def __init__(self, poll: Poll, resolvers: Sequence[Address], name: str, done: Callable[[Outcome], None]) -> None:
        self._poll, self._name, self._done = poll, name, done
        self._attempts = [resolver for _ in range(_ROUNDS) for resolver in resolvers]
        self._answers: dict[dns.rdatatype.RdataType, tuple[str, ...] | None] = {}  # None: the name does not exist
        self._queries: dict[dns.rdatatype.RdataType, dns.message.Message] = {}
        self._sockets: list[socket.socket] = []
        self.deadline = 0.0

    def start(self) -> None:
        self._next_attempt()

    def _next_attempt(self) -> None:
        self.close()
        while self._attempts:
            resolver = self._attempts.pop(0)
            self.deadline = time.monotonic() + _ATTEMPT_SECS
            try:
                self._ask(resolver)
            except OSError:
                self.close()
            else:
                return
        self._finish()

    def _ask(self, resolver: Address) -> None:
        """Send the queries that have no answer yet, from a new port: its number protects against forged answers."""
        self._queries = {
            kind: dns.message.make_query(self._name, kind, use_edns=0, payload=_UDP_BYTES, id=secrets.randbits(16))
            for kind in _TYPES
            if kind not in self._answers
        }
        asking = self._connect(resolver, socket.SOCK_DGRAM)
        for query in self._queries.values():
            asking.send(query.to_wire())
        self._poll.watch(asking, READ, lambda: self._read_datagram(asking, resolver))

    def _connect(self, resolver: Address, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in resolver[0] else socket.AF_INET
        connecting = socket.socket(family, kind)
        self._sockets.append(connecting)
        connecting.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connecting.connect(resolver)
        return connecting

    def _read_datagram(self, asking: socket.socket, resolver: Address) -> None:
        try:
            data = asking.recv(_UDP_BYTES)
        except BlockingIOError:
            return
        except OSError:  # such as a refused port
            self._next_attempt()
            return
        kind, response = self._matching(data)
        if response is None or kind is None:
            return
        if response.flags & dns.flags.TC:
            try:
                _TcpQuestion(self._connect(resolver, socket.SOCK_STREAM), self._poll, self._queries[kind], self._take)
            except OSError:
                self._next_attempt()
            return
        self._use(kind, response)

    def _take(self, data: bytes) -> None:
        """Use an answer over TCP; b"": there is none."""
        kind, response = self._matching(data)
        if response is None or kind is None:
            self._next_attempt()
        else:
            self._use(kind, response)

    def _matching(self, data: bytes) -> tuple[dns.rdatatype.RdataType | None, dns.message.Message | None]:
        """Return the parsed answer and the type of its query. (None, None): it is none of ours, or malformed."""
        try:
            response = dns.message.from_wire(data, ignore_trailing=True)
        except Exception:  # noqa: BLE001 - hostile bytes in a library's parser of some 60 types of records
            return None, None
        kind = next((kind for kind, query in self._queries.items() if query.is_response(response)), None)
        return (None, None) if kind is None else (kind, response)

    def _use(self, kind: dns.rdatatype.RdataType, response: dns.message.Message) -> None:
        if response.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            self._next_attempt()
            return
        del self._queries[kind]
        self._answers[kind] = _addresses(response)
        if not self._queries:
            self._finish()

    def _finish(self) -> None:
        self.close()
        addresses = tuple(address for kind in _TYPES for address in self._answers.get(kind) or ())
        if addresses:
            self._done(addresses)
        else:
            self._done(Failure.NAME_NOT_FOUND if self._answers else Failure.LOOK_UP_FAILED)

    def tick(self, now: float) -> None:
        """Go on with the next resolver when this one does not answer."""
        if now >= self.deadline:
            self._next_attempt()

    def close(self) -> None:
        for owned in self._sockets:
            self._poll.forget(owned)
            owned.close()
        self._sockets.clear()


def _addresses(response: dns.message.Message) -> tuple[str, ...] | None:
    """Return the addresses at the end of the answer's chain of aliases. None: there is no such name."""
    if not isinstance(response, dns.message.QueryMessage):
        return ()
    if response.rcode() == dns.rcode.NXDOMAIN:
        return None
    try:
        found = response.resolve_chaining().answer
    except dns.exception.DNSException:  # such as a loop of aliases
        return ()
    return () if found is None else tuple(record.address for record in found)


class _TcpQuestion:
    """One query over TCP. Calls `done` with the answer, or with b"". `LookUp` owns the socket."""

    def __init__(
        self, connecting: socket.socket, poll: Poll, query: dns.message.Message, done: Callable[[bytes], None]
    ) -> None:
        self._socket, self._poll, self._done = connecting, poll, done
        wire = query.to_wire()
        self._message = _LENGTH.pack(len(wire)) + wire
        self._received = b""
        poll.watch(connecting, WRITE, self._send)

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._message)
        except OSError:
            self._done(b"")
            return
        if sent < len(self._message):  # a new connection has room for a query
            self._done(b"")
            return
        self._poll.watch(self._socket, READ, self._read)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_TCP_BYTES + _LENGTH.size - len(self._received))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if len(self._received) >= _LENGTH.size:
            length = _LENGTH.unpack_from(self._received)[0]
            if len(self._received) >= length + _LENGTH.size:
                self._finish(self._received[_LENGTH.size : length + _LENGTH.size])
                return
        if not data or len(self._received) >= _TCP_BYTES + _LENGTH.size:
            self._finish(b"")

    def _finish(self, answer: bytes) -> None:
        self._poll.forget(self._socket)
        self._done(answer)


_MAX_ADDRESSES: Final = 4
_HOST_ADDRESSES: Final = ("127.0.0.1", "::1")
_FAILURES: Final = {
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_REFUSED,
    errno.ETIMEDOUT: Failure.TIMED_OUT,
}


class RealAddresses:
    """The checked addresses of the run's names. The first look-up of a name decides for the whole run.

    So a name that turns private later changes nothing.
    """

    def __init__(self, poll: Poll, resolvers: Sequence[Address], routes: Routes, settings: ProxySettings) -> None:
        self._poll, self._resolvers, self._routes, self._settings = poll, resolvers, routes, settings
        self._found: dict[str, Outcome] = {}
        self._look_ups: dict[str, LookUp] = {}
        self._waiting: dict[str, list[Callable[[Outcome], None]]] = {}

    def get(self, name: str, port: int, done: Callable[[Outcome], None]) -> None:
        """Call `done` with the addresses to connect to, or with the failure; perhaps at once."""
        if name == HOST_NAME:
            done(self._host_addresses(port))
        elif name in self._found:
            done(self._found[name])
        elif name in self._waiting:
            self._waiting[name].append(done)
        else:
            self._waiting[name] = [done]
            self._look_ups[name] = LookUp(self._poll, self._resolvers, name, partial(self._take, name))
            self._look_ups[name].start()

    def _host_addresses(self, port: int) -> Outcome:
        if self._settings.allows_host and port not in self._settings.refused_host_ports:
            return _HOST_ADDRESSES
        return Failure.ADDRESS_REFUSED

    def _take(self, name: str, outcome: Outcome) -> None:
        self._found[name] = outcome = self._checked(outcome)
        del self._look_ups[name]
        for done in self._waiting.pop(name):
            done(outcome)

    def _checked(self, outcome: Outcome) -> Outcome:
        """Refuse a name if one of its addresses is refused: its next answer may have only that one."""
        if isinstance(outcome, Failure):
            return outcome
        if not all(is_public(address) and self._routes.is_elsewhere(address) for address in outcome):
            return Failure.ADDRESS_REFUSED
        return outcome[:_MAX_ADDRESSES]

    def tick(self, now: float) -> None:
        """Let look-ups go on that wait for an answer in vain."""
        for look_up in list(self._look_ups.values()):
            look_up.tick(now)

    def close(self) -> None:
        """Give up all look-ups, without a call of `done`."""
        for look_up in self._look_ups.values():
            look_up.close()
        self._look_ups.clear()
        self._waiting.clear()


class Connector:
    """Connects to one address after the other. Calls `done` once, after `start`, with a socket or a failure."""

    def __init__(
        self,
        poll: Poll,
        addresses: Sequence[str],
        port: int,
        give_up_at: float,
        done: Callable[[str, socket.socket | Failure], None],
    ) -> None:
        self._poll, self._left, self._port = poll, list(addresses), port
        self._give_up_at, self._done = give_up_at, done
        self._socket: socket.socket | None = None
        self._address = ""
        self._failure = Failure.UNREACHABLE
        self.deadline = give_up_at

    def start(self) -> None:
        self._next_address()

    def _next_address(self) -> None:
        while self._left:
            now = time.monotonic()
            self.deadline = now + max(0.0, self._give_up_at - now) / len(self._left)
            self._address = self._left.pop(0)
            try:
                self._begin()
            except OSError as error:
                self._fail(error.errno or 0)
            else:
                return
        self._done(self._address, self._failure)

    def _begin(self) -> None:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        bound_buffers(self._socket)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BlockingIOError):
            self._socket.connect((self._address, self._port))
        self._poll.watch(self._socket, WRITE, self._on_connected)

    def _on_connected(self) -> None:
        connected = self._socket
        if connected is None:
            return
        code = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # On loopback a port without a listener can connect to itself.
        if not code and self._address in _HOST_ADDRESSES and connected.getsockname() == connected.getpeername():
            code = errno.ECONNREFUSED
        if code:
            self._fail(code)
            self._next_address()
        else:
            self._poll.forget(connected)
            self._socket = None
            self._done(self._address, connected)

    def _fail(self, code: int) -> None:
        self._failure = _FAILURES.get(code, Failure.UNREACHABLE)
        self.close()

    def tick(self, now: float) -> None:
        """Give up an address that does not answer."""
        if now >= self.deadline:
            self._fail(errno.ETIMEDOUT)
            self._next_address()

    def close(self) -> None:
        """Give up, without a call of `done`."""
        if self._socket is not None:
            self._poll.forget(self._socket)
            reset(self._socket)
            self._socket = None
