"""Guarded outbound HTTP for webhooks: one POST, or PUT of a callback, to a checked address, within one deadline.

Order: check the URL, resolve once, refuse unless every address is allowed, connect to a checked address, then do TLS
with the host name. We never follow redirects, use proxies from the environment, or decompress.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from functions.webhooks.target.pinned_connection import Deadline, PinnedConnection, PinnedHttpsConnection
from functions.webhooks.target.slow_sends import SlowSends
from functions.webhooks.target.webhook_url import AddressRefusedError, Target, check_url, may_dial
from functions.webhooks.vocabulary.reply import MAX_HEAD_BYTES, Reply

TOTAL_SECS = 15.0
MAX_READ_BYTES = 64 * 1024
MAX_ADDRESSES = 4

type Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a send waits for its answer. `on_slow` is called once after `slow_secs`, while the send goes on."""

    total_secs: float = TOTAL_SECS
    slow_secs: float = TOTAL_SECS
    on_slow: Callable[[], None] | None = None


LONG = Wait()
_slow_sends = SlowSends()


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

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
        """Send once. Failures return a Reply with an error code; nothing raises."""
        return self._send_watched("POST", url, headers, body, wait)

    def put(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
        """Like `post`, with PUT."""
        return self._send_watched("PUT", url, headers, body, wait)

    def _send_watched(self, method: str, url: str, headers: Mapping[str, str], body: bytes, wait: Wait) -> Reply:
        if wait.on_slow is None:
            return self._send(method, url, headers, body, Deadline(min(self.total_secs, wait.total_secs)))
        with _slow_sends.watch(wait.slow_secs, wait.on_slow):
            return self._send(method, url, headers, body, Deadline(min(self.total_secs, wait.total_secs)))

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Reply:
        try:
            target = check_url(url, allow_insecure=self.allow_insecure, own_host=self.own_host)
        except AddressRefusedError as refusal:
            return Reply(deadline.elapsed_ms(), error_code=refusal.code)
        try:
            addresses = self._resolve(target, deadline)
        except _SendError as refusal:
            return Reply(deadline.elapsed_ms(), error_code=refusal.code, host=target.host)
        if target.scheme == "https":
            connection: PinnedConnection = PinnedHttpsConnection(target, addresses, deadline, ssl_context=self.trust())
        else:
            connection = PinnedConnection(target, addresses, deadline)
        try:
            return _exchange(connection, method, target.path, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            code = _code_of(error)
            return Reply(deadline.elapsed_ms(), error_code=code, address=connection.address, host=target.host)
        finally:
            connection.close()

    def _resolve(self, target: Target, deadline: Deadline) -> list[str]:
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


def _exchange(connection: PinnedConnection, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    with suppress(BrokenPipeError):  # a receiver may respond before it has read the whole body
        connection.request(method, path, body, {"accept-encoding": "identity", "connection": "close", **headers})
    # Use http.client's reader. urllib3's would log the URL of a malformed response, and could decompress.
    with http.client.HTTPConnection.getresponse(connection) as response:
        head = response.read(MAX_READ_BYTES)[:MAX_HEAD_BYTES]
        return Reply(
            connection.deadline.elapsed_ms(),
            status_code=response.status,
            retry_after=response.headers.get("retry-after"),
            head=head,
            address=connection.address,
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
