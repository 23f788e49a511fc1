"""Guarded outbound HTTP for webhooks: one POST to a checked address, within one deadline.

Order: check the URL, resolve once, refuse unless every answer is allowed, dial that very address, and only there
do TLS with the name of the URL. Nothing follows redirects, reads proxies from the environment or decompresses.
A watchdog shuts the socket down at the deadline, since a timeout per read never ends a receiver that drips.
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
CONNECT_SECS = 5.0  # for each address, so that one dead address of several does not use up the time
MAX_READ_BYTES = 64 * 1024
MAX_ADDRESSES = 4
MAX_INFORMATIONAL = 10
"""Informational answers (1xx) before the final one."""
MAX_INFORMATIONAL_BYTES = 16 * 1024
"""Header bytes of all of them together."""

type Resolver = Callable[[str, int], list[str]]


class _SendError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def system_resolver(host: str, port: int) -> list[str]:
    """Addresses by the system's resolver, each once, in its order; raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Egress:
    """Sends webhooks. `own_host`: the name of our own API. `allow_insecure`: development, loopback addresses too.

    The rest is replaced in tests only.
    """

    allow_insecure: bool = False
    own_host: str = ""
    resolver: Resolver = system_resolver
    total_secs: float = TOTAL_SECS
    trust: Callable[[], ssl.SSLContext] = field(default=_system_trust, repr=False)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send once; every failure is a Reply with an error code, nothing raises."""
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
        """Addresses, all of them allowed; getaddrinfo has no timeout, so it runs beside us and may be left behind."""
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
    """One time limit for a whole send. Owns a duplicate of the socket, so that it never shuts down a reused fd."""

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
        """Never 0: that would make a socket non-blocking."""
        return max(self._ends - time.monotonic(), 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Shut `sock` down at the deadline, also after TLS took its fd over; raises TimeoutError when it is past."""
        with self._lock:
            self._release()
            if self.expired:
                raise TimeoutError
            self._watched = sock.dup()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._watched is not None:
                with suppress(OSError):  # the peer was quicker
                    self._watched.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        if self._watched is not None:
            self._watched.close()
            self._watched = None


class _PinnedConnection:
    """The pinned connection of one send, and the address that it reached."""

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
        """Connect to the first checked address that answers; the name is not looked up again."""
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
    """Skips every informational answer but 101, which is final: RFC 9110, section 15.2.

    http.client itself skips 100 only, and without end.
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
                    raise http.client.HTTPException("the informational answers have too many bytes")
        raise http.client.HTTPException("there are too many informational answers")


class _PinnedHttp(HTTPConnection):
    response_class = _FinalResponse

    def __init__(self, pinned: _PinnedConnection, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=pinned.deadline.remaining_secs())
        self._pinned = pinned

    def _new_conn(self) -> socket.socket:
        return self._pinned.dial()


class _PinnedHttps(HTTPSConnection):
    """SNI, Host and certificate check use the name; only the dialling is ours."""

    response_class = _FinalResponse

    def __init__(self, pinned: _PinnedConnection, target: Target, context: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=pinned.deadline.remaining_secs(), ssl_context=context)
        self._pinned = pinned

    def _new_conn(self) -> socket.socket:
        return self._pinned.dial()


def _exchange(
    connection: HTTPConnection, path: str, headers: Mapping[str, str], body: bytes, pinned: _PinnedConnection
) -> Reply:
    with suppress(BrokenPipeError):  # a receiver may answer before it has read the whole body, and that counts
        connection.request("POST", path, body, {"accept-encoding": "identity", "connection": "close", **headers})
    # The plain reader of http.client: urllib3's would log the URL of a malformed answer, and could decompress.
    with http.client.HTTPConnection.getresponse(connection) as response:
        head = response.read(MAX_READ_BYTES)[:MAX_HEAD_BYTES]
        if pinned.deadline.expired:  # our own shutdown looks like the end of an answer without a length
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
    """Name a failed exchange, by the type of its error only."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls_error"
    if isinstance(error, ConnectionRefusedError):
        return "connect_refused"
    if isinstance(error, OSError):
        return "connection_reset"
    return "response_invalid"
