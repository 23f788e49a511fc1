"""Guarded outbound HTTP for webhooks: one POST, or PUT of a callback, to a checked address, within one deadline.

Order: check the URL, resolve once, refuse unless every address is allowed, connect to a checked address, then do TLS
with the host name. We never follow redirects, use proxies from the environment, or decompress.
"""

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from http import HTTPStatus
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from functions.clock import now_ms
from functions.env import Env
from functions.webhooks.vocabulary import MAX_HEAD_BYTES, Reply
from functions.webhooks.webhook_url import AddressRefusedError, Destination, check_url, may_dial


class SlowSends:
    """Sends under way, of which one thread calls back the slow ones. All of them are slow after the same time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sends: dict[object, tuple[float, Callable[[], None]]] = {}  # in the order of their times
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, secs: float, on_slow: Callable[[], None]) -> Iterator[None]:
        """Call `on_slow`, which must not raise, if the block takes longer than `secs`."""
        send = object()
        with self._changed:
            self._sends[send] = (monotonic() + secs, on_slow)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="slow-sends")
                self._thread.start()
            elif len(self._sends) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._sends.pop(send, None)

    def _run(self) -> None:
        while True:
            self._next()()

    def _next(self) -> Callable[[], None]:
        with self._changed:
            while True:
                if not self._sends:
                    self._changed.wait()
                    continue
                send, (at, on_slow) = next(iter(self._sends.items()))
                left_secs = at - monotonic()
                if left_secs <= 0:
                    del self._sends[send]
                    return on_slow
                self._changed.wait(left_secs)


# A connection for one send: to a checked address only, within one deadline.
#
# Each call on the socket gets the rest of the deadline as its timeout, because a constant one does not stop a
# slow-drip receiver.

CONNECT_SECS = 5.0  # per address, so that one dead address does not use up the deadline
MAX_INFORMATIONAL = 10
"""Limit of informational responses (1xx) before the final one."""
MAX_INFORMATIONAL_BYTES = 16 * 1024
"""Limit of their header bytes together."""


class Deadline:
    """Time limit of a whole send."""

    def __init__(self, total_secs: float) -> None:
        self._started = time.monotonic()
        self._ends = self._started + total_secs

    def elapsed_ms(self) -> int:
        return int((time.monotonic() - self._started) * 1000)

    def remaining_secs(self) -> float:
        """Return the remaining time. Raises TimeoutError if there is none."""
        left_secs = self._ends - time.monotonic()
        if left_secs <= 0:
            raise TimeoutError
        return left_secs

    def limit(self, sock: socket.socket) -> None:
        """Let the next call on `sock` last until the deadline. Raises TimeoutError after it."""
        sock.settimeout(self.remaining_secs())


class LimitedReads(io.RawIOBase):
    """The input of a socket. All reads together end at the deadline, and after `most_bytes` if given."""

    def __init__(self, sock: socket.socket, deadline: Deadline, most_bytes: int | None = None) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = most_bytes
        self._input = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._deadline.limit(self._sock)
        count = self._input.readinto(buffer)
        if self._left is not None:
            self._left -= count or 0
            if self._left < 0:
                raise ConnectionResetError("the answers have too many bytes")
        return count

    def close(self) -> None:
        super().close()
        self._input.close()


class _FinalResponse(http.client.HTTPResponse):
    """Skips informational responses except 101, which is final: RFC 9110, section 15.2.

    http.client skips only 100, and without a limit.
    """

    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(LimitedReads(sock, deadline))

    def _read_status(self) -> tuple[str, int, str]:
        left_bytes = MAX_INFORMATIONAL_BYTES
        for _ in range(MAX_INFORMATIONAL + 1):
            status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in the stubs
            if status[1] == HTTPStatus.SWITCHING_PROTOCOLS or status[1] >= HTTPStatus.OK:
                return status
            while (line := self.fp.readline(left_bytes + 1)) not in {b"\r\n", b"\n", b""}:
                left_bytes -= len(line)
                if left_bytes < 0:
                    raise http.client.HTTPException("the informational responses have too many bytes")
        raise http.client.HTTPException("there are too many informational responses")


def dial(addresses: Iterable[str], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts. Raises OSError."""
    failure: OSError = ConnectionRefusedError()
    for address in addresses:
        try:
            sock = socket.create_connection((address, port), min(CONNECT_SECS, deadline.remaining_secs()))
        except OSError as error:
            failure = error if isinstance(error, TimeoutError) else ConnectionRefusedError()
            continue
        # Else the body would wait for the acknowledgement of the headers: one round trip more.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline.limit(sock)  # for the TLS handshake
        return sock
    raise failure


class PinnedConnection(HTTPConnection):
    """Connection to a checked address. `deadline`: of the send under way. `address`: the last one that was dialled."""

    def __init__(self, target: Destination, addresses: list[str], deadline: Deadline, **tls: Any) -> None:
        super().__init__(target.host, target.port, **tls)
        self._addresses = addresses
        self.deadline = deadline
        self.address: str | None = None
        self._dialled_ms = now_ms()

    @property
    def is_young(self) -> bool:
        """Whether its addresses were checked lately. By the clock of the wall: Lambda stops processes for hours."""
        return 0 <= now_ms() - self._dialled_ms < KEPT_MS

    def _new_conn(self) -> socket.socket:
        """Connect to the first checked address that accepts. The name is not resolved again."""
        return dial(self._noted(), self.port or self.default_port, self.deadline)

    def _noted(self) -> Iterator[str]:
        for address in self._addresses:
            self.address = address
            yield address

    def send(self, data: Any) -> None:
        """Send all within the deadline: `sendall` has one timeout for all of its data."""
        if self.sock is None:
            self.connect()
        self.deadline.limit(self.sock)
        super().send(data)


class PinnedHttpsConnection(PinnedConnection, HTTPSConnection):
    """HTTPS to a checked address. SNI, Host and the certificate check use the host name."""


KEPT_MS = 10_000
"""A connection is used for so long. Then the name is resolved and checked again."""
MOST_KEPT = 64

type _Place = tuple[str, str, str, int]
"""Who may use it, scheme, host and port."""


class KeptConnections:
    """Connections of this process that wait for their next send, the last one first. Threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[PinnedConnection, _Place] = {}

    def take(self, place: _Place) -> PinnedConnection | None:
        """Take a connection that is young and open; close the others of this place."""
        while True:
            with self._lock:
                connection = next((one for one in reversed(self._places) if self._places[one] == place), None)
                if connection is None:
                    return None
                del self._places[connection]
            if connection.is_young and connection.is_connected:
                return connection
            connection.close()

    def keep(self, place: _Place, connection: PinnedConnection) -> None:
        """Keep a connection; close those that are old or too many."""
        with self._lock:
            self._places[connection] = place
            ended = [one for one in self._places if not one.is_young] or [*self._places][:-MOST_KEPT]
            for one in ended:
                del self._places[one]
        for one in ended:
            one.close()


TOTAL_SECS = 15.0
MAX_READ_BYTES = 64 * 1024
MAX_ADDRESSES = 4

type Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a send waits for its answer. `on_slow` is called once after `slow_secs`, while the send goes on.

    `keeper`: the project whose next sends may use the connection; "" closes it.
    """

    total_secs: float = TOTAL_SECS
    slow_secs: float = TOTAL_SECS
    on_slow: Callable[[], None] | None = None
    keeper: str = ""


LONG = Wait()
_slow_sends = SlowSends()
_kept_connections = KeptConnections()


class SendError(Exception):
    """No address may be dialled."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def system_resolver(host: str, port: int) -> list[str]:
    """Return the system resolver's addresses in order, without duplicates; raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Egress:
    """Sends webhooks. `own_host`: host name of our own API. `allow_insecure`: for development, allows loopback.

    Only tests replace the other fields.
    """

    allow_insecure: bool = False
    own_host: str = ""
    resolver: Resolver = system_resolver
    total_secs: float = TOTAL_SECS
    trust: Callable[[], ssl.SSLContext] = field(default=_system_trust, repr=False)

    @classmethod
    def from_env(cls, env: Env) -> "Egress":
        return cls(env.settings.allow_insecure_webhook_targets, env.settings.own_host)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
        """Send once. Failures return a Reply with an error code; nothing raises."""
        return self._send_watched("POST", url, headers, body, wait)

    def put(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
        """Like `post`, with PUT."""
        return self._send_watched("PUT", url, headers, body, wait)

    def _send_watched(self, method: str, url: str, headers: Mapping[str, str], body: bytes, wait: Wait) -> Reply:
        if wait.on_slow is None:
            return self._send(method, url, headers, body, wait)
        with _slow_sends.watch(wait.slow_secs, wait.on_slow):
            return self._send(method, url, headers, body, wait)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, wait: Wait) -> Reply:
        deadline = Deadline(min(self.total_secs, wait.total_secs))
        try:
            target = check_url(url, allow_insecure=self.allow_insecure, own_host=self.own_host)
        except AddressRefusedError as refusal:
            return Reply(deadline.elapsed_ms(), error_code=refusal.code)
        place = (wait.keeper, target.scheme, target.host, target.port)
        exchange = partial(_exchange, place=place, method=method, path=target.path, headers=headers, body=body)
        if wait.keeper and (kept := _kept_connections.take(place)) is not None:
            kept.deadline = deadline
            reply = exchange(kept)
            if reply.error_code not in {"connection_reset", "tls_error"}:  # the receiver closed it meanwhile
                return reply
        try:
            addresses = self._resolve(target, deadline)
        except SendError as refusal:
            return Reply(deadline.elapsed_ms(), error_code=refusal.code, host=target.host)
        if target.scheme == "https":
            connection: PinnedConnection = PinnedHttpsConnection(target, addresses, deadline, ssl_context=self.trust())
        else:
            connection = PinnedConnection(target, addresses, deadline)
        return exchange(connection)

    def _resolve(self, target: Destination, deadline: Deadline) -> list[str]:
        """Return allowed addresses. Raises SendError."""
        addresses = self.addresses_of(target.host, target.port, deadline)
        if not may_dial(addresses, allow_insecure=self.allow_insecure):
            raise SendError("blocked_address")
        return addresses[:MAX_ADDRESSES]

    def addresses_of(self, host: str, port: int, deadline: Deadline) -> list[str]:
        """Return all addresses of a host, public or not. Raises SendError if there are none.

        getaddrinfo has no timeout, so we abandon its thread at the deadline.
        """
        found: list[str] = []

        def look_up() -> None:
            with suppress(OSError, UnicodeError):
                found.extend(self.resolver(host, port))

        thread = threading.Thread(target=look_up, daemon=True, name="resolve")
        thread.start()
        thread.join(deadline.remaining_secs())
        addresses = [] if thread.is_alive() else found
        if not addresses:
            raise SendError("dns_error")
        return addresses


_LINE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def _message(connection: PinnedConnection, start: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the bytes of a request. http.client would make many calls for them. Raises ValueError."""
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    own = {
        "host": host if connection.port == connection.default_port else f"{host}:{connection.port}",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
    }
    lines = [start, *(f"{name}: {value}" for name, value in (own | dict(headers) | own).items())]
    if not all(map(_LINE.fullmatch, lines)):
        raise ValueError("a header has a control character")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _exchange(
    connection: PinnedConnection, place: _Place, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """Send a request and read its response; keep the connection if `place` names a keeper, else close it."""
    if not place[0]:
        headers = {"connection": "close", **headers}
    is_whole = False
    try:
        with suppress(BrokenPipeError):  # a receiver may respond before it has read the whole body
            connection.send(_message(connection, f"{method} {path} HTTP/1.1", headers, body))
        # Use http.client's reader. urllib3's would log the URL of a malformed response, and could decompress.
        with _FinalResponse(connection.deadline, connection.sock) as response:
            response.begin()
            head = response.read(MAX_READ_BYTES)[:MAX_HEAD_BYTES]
            is_whole = response.isclosed() and not response.will_close and response.status >= HTTPStatus.OK
            return Reply(
                connection.deadline.elapsed_ms(),
                status_code=response.status,
                retry_after=response.headers.get("retry-after"),
                head=head,
                address=connection.address,
                host=connection.host,
            )
    except (OSError, http.client.HTTPException, ValueError) as error:
        took_ms = connection.deadline.elapsed_ms()
        return Reply(took_ms, error_code=code_of(error), address=connection.address, host=connection.host)
    finally:
        if is_whole and place[0]:
            _kept_connections.keep(place, connection)
        else:
            connection.close()


def code_of(error: Exception) -> str:
    """Return the error code of a failed exchange."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls_error"
    if isinstance(error, ConnectionRefusedError):
        return "connect_refused"
    if isinstance(error, OSError):
        return "connection_reset"
    return "response_invalid"
