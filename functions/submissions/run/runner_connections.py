"""Connections of the direct path to runners: kept for reuse, over TLS for an https URL.

The certificate of a runner must be for the host of the URL, and from the given authority or one that the system trusts.
"""

from __future__ import annotations

import http.client
import select
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from functions.aws.secrets import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECS = 0.3
SEND_SECS = 26.0
"""Time for the request. The caller sets that of the answer."""
PAUSE_SECS = 2.0
"""Pause after a failed connection: a dead runner costs each request CONNECT_SECS."""
_KEPT_SECS = 60.0  # less than the runner keeps a connection
_MAX_KEPT = 64


class RunnerUnavailableError(Exception):
    """The runner gives no valid answer; use the queue. The text is for logs, without any message content."""


class RunnerConnections:
    """`url`: of one runner or of a load balancer.

    `authority` is called for each new https connection: PEM of the only certificate authorities to trust. None: those
    of the system.
    """

    def __init__(self, url: str, authority: Callable[[], str] | None) -> None:
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._authority = authority
        self._tls: tuple[str | None, ssl.SSLContext] | None = None
        self._kept: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._paused_until = 0.0

    def take(self) -> http.client.HTTPConnection | None:
        """Take an idle connection; None if a new one is needed. Raises RunnerUnavailableError after a failed one."""
        if time.monotonic() < self._paused_until:
            raise RunnerUnavailableError(f"a connection failed in the last {PAUSE_SECS:g} s")
        while self._kept:
            try:
                kept_at, connection = self._kept.pop()
            except IndexError:  # another thread took the last one
                return None
            stream = connection.sock
            if stream is not None and time.monotonic() - kept_at < _KEPT_SECS and not is_readable(stream.fileno()):
                stream.settimeout(SEND_SECS)
                return connection
            connection.close()
        return None

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection. Raises OSError, and then `take` raises for PAUSE_SECS."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECS)
        if self._is_tls:
            tls = self._tls_context()
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_SECS, context=tls)
        try:
            connection.connect()
        except OSError:
            connection.close()
            self._paused_until = time.monotonic() + PAUSE_SECS
            raise
        connection.sock.settimeout(SEND_SECS)
        return connection

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection for reuse after its answer was read."""
        if connection.sock is not None and len(self._kept) < _MAX_KEPT:
            self._kept.append((time.monotonic(), connection))
        else:
            connection.close()

    def _tls_context(self) -> ssl.SSLContext:
        """Return the settings of a connection that checks chain and name; made again when the authority changes."""
        try:
            pem = None if self._authority is None else self._authority()
            if self._tls is None or self._tls[0] != pem:
                # An empty text would mean the system's authorities; a blank one is refused.
                self._tls = pem, ssl.create_default_context(cadata=None if pem is None else pem or " ")
        except SecretUnavailableError:
            raise RunnerUnavailableError("the certificate authority of the runners cannot be read") from None
        except (ssl.SSLError, ValueError):
            raise RunnerUnavailableError("the certificate authority is no PEM certificate") from None
        return self._tls[1]


def is_readable(descriptor: int, within_secs: float = 0) -> bool:
    """Return whether a connection has input or its end. On an idle connection either makes it unusable."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN | select.POLLRDHUP)
    return bool(poller.poll(1000 * within_secs))
