"""Guarded outbound HTTP for webhooks: one POST to a checked address, within one deadline.

Order: check the URL, resolve once, refuse unless every address is allowed, connect to a checked address, then do TLS
with the host name. We never follow redirects, use proxies from the environment, or decompress. A watchdog shuts down
the socket at the deadline, because a timeout per read does not stop a slow-drip receiver.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Self

from urllib3.connection import HTTPConnection, HTTPSConnection

from functions.webhooks.sending.address import AddressRefusedError, Target, check_url, may_dial
from functions.webhooks.sending.reply import MAX_HEAD_BYTES, Reply

TOTAL_SECS = 15.0
CONNECT_SECS = 5.0  # per address, so that one dead address does not use up the deadline
MAX_READ_BYTES = 64 * 1024
MAX_ADDRESSES = 4
MAX_INFORMATIONAL = 10
"""Limit of informational responses (1xx) before the final one."""
MAX_INFORMATIONAL_BYTES = 16 * 1024
"""Limit of their header bytes together."""

type Resolver = Callable[[str, int], list[str]]


class _SendError(Exception):
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

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send once. Failures return a Reply with an error code; nothing raises."""
        with _Deadline(self.total_secs) as deadline:
            try:
                target = check_url(url, allow_insecure=self.allow_insecure, own_host=self.own_host)
            except AddressRefusedError as refusal:
                return Reply(deadline.elapsed_ms(), error_code=refusal.code)
            try:
                addresses = self._resolve(target, deadline)
            except _SendError as refusal:
                return Reply(deadline.elapsed_ms(), error_code=refusal.code, host=target.host)
            pinned = _PinnedConnection(target, addresses, deadline, self.trust)
            try:
                return _exchange(pinned.connection, target.path, headers, body, pinned)
            except (OSError, http.client.HTTPException, ValueError) as error:
                code = "timeout" if deadline.expired else _code_of(error)
                return Reply(deadline.elapsed_ms(), error_code=code, address=pinned.address, host=target.host)
            finally:
                pinned.connection.close()

    def _resolve(self, target: Target, deadline: "_Deadline") -> list[str]:
        """Return allowed addresses. getaddrinfo has no timeout, so we abandon its thread at the deadline."""
        found: list[str] = []

        def look_up() -> None:
            with suppress(OSError, UnicodeError):
                found.extend(self.resolver(target.host, target.port))

        thread = threading.Thread(target=look_up, daemon=True, name="resolve")
        thread.start()
        thread.join(deadline.remaining_secs())
        addresses = [] if thread.is_alive() else found
        if not addresses:
            raise _SendError("dns_error")
        if not may_dial(addresses, allow_insecure=self.allow_insecure):
            raise _SendError("blocked_address")
        return addresses[:MAX_ADDRESSES]


class _Deadline:
    """Time limit of a whole send. Owns a duplicate of the socket, so that it never shuts down a reused fd."""

    def __init__(self, total_secs: float) -> None:
        self._started = time.monotonic()
        self._ends = self._started + total_secs
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None
        self._timer = threading.Timer(total_secs, self._expire)
        self._timer.daemon = True
        self.expired = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._release()

    def elapsed_ms(self) -> int:
        return int((time.monotonic() - self._started) * 1000)

    def remaining_secs(self) -> float:
        """Return the remaining time, never 0: a timeout of 0 makes a socket non-blocking."""
        return max(self._ends - time.monotonic(), 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Shut down `sock` at the deadline, also after TLS took over its fd; raises TimeoutError after it."""
        with self._lock:
            self._release()
            if self.expired:
                raise TimeoutError
            self._watched = sock.dup()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._watched is not None:
                with suppress(OSError):  # the peer closed it first
                    self._watched.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        if self._watched is not None:
            self._watched.close()
            self._watched = None


class _PinnedConnection:
    """Connection of one send to a checked address. `address`: the last address that was dialled."""

    def __init__(
        self, target: Target, addresses: list[str], deadline: _Deadline, trust: Callable[[], ssl.SSLContext]
    ) -> None:
        self._port = target.port
        self._addresses = addresses
        self.deadline = deadline
        self.address: str | None = None
        self.connection: HTTPConnection = (
            _PinnedHttps(self, target, trust()) if target.scheme == "https" else _PinnedHttp(self, target)
        )

    def dial(self) -> socket.socket:
        """Connect to the first checked address that accepts. The name is not resolved again."""
        failure: OSError = ConnectionRefusedError()
        for address in self._addresses:
            self.address = address
            limit_secs = min(CONNECT_SECS, self.deadline.remaining_secs())
            try:
                sock = socket.create_connection((address, self._port), limit_secs)
            except OSError as error:
                failure = error if isinstance(error, TimeoutError) else ConnectionRefusedError()
                continue
            self.deadline.watch(sock)
            sock.settimeout(self.deadline.remaining_secs())
            return sock
        raise failure


class _FinalResponse(http.client.HTTPResponse):
    """Skips informational responses except 101, which is final: RFC 9110, section 15.2.

    http.client skips only 100, and without a limit.
    """

    def _read_status(self) -> tuple[str, int, str]:
        left_bytes = MAX_INFORMATIONAL_BYTES
        for _ in range(MAX_INFORMATIONAL + 1):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in the stubs
            if found[1] == HTTPStatus.SWITCHING_PROTOCOLS or found[1] >= HTTPStatus.OK:
                return found
            while (line := self.fp.readline(left_bytes + 1)) not in {b"\r\n", b"\n", b""}:
                left_bytes -= len(line)
                if left_bytes < 0:
                    raise http.client.HTTPException("the informational responses have too many bytes")
        raise http.client.HTTPException("there are too many informational responses")


class _PinnedHttp(HTTPConnection):
    response_class = _FinalResponse

    def __init__(self, pinned: _PinnedConnection, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=pinned.deadline.remaining_secs())
        self._pinned = pinned

    def _new_conn(self) -> socket.socket:
        return self._pinned.dial()


class _PinnedHttps(HTTPSConnection):
    """HTTPS to a checked address. SNI, Host and the certificate check use the host name."""

    response_class = _FinalResponse

    def __init__(self, pinned: _PinnedConnection, target: Target, context: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=pinned.deadline.remaining_secs(), ssl_context=context)
        self._pinned = pinned

    def _new_conn(self) -> socket.socket:
        return self._pinned.dial()


def _exchange(
    connection: HTTPConnection, path: str, headers: Mapping[str, str], body: bytes, pinned: _PinnedConnection
) -> Reply:
    with suppress(BrokenPipeError):  # a receiver may respond before it has read the whole body
        connection.request("POST", path, body, {"accept-encoding": "identity", "connection": "close", **headers})
    # Use http.client's reader. urllib3's would log the URL of a malformed response, and could decompress.
    with http.client.HTTPConnection.getresponse(connection) as response:
        head = response.read(MAX_READ_BYTES)[:MAX_HEAD_BYTES]
        if pinned.deadline.expired:  # our own shutdown looks like the end of a response without a length
            raise TimeoutError
        return Reply(
            pinned.deadline.elapsed_ms(),
            status_code=response.status,
            retry_after=response.headers.get("retry-after"),
            head=head,
            address=pinned.address,
            host=connection.host,
        )


def _code_of(error: Exception) -> str:
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
