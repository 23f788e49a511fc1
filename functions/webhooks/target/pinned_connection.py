"""A connection for one send: to a checked address only, within one deadline.

Each call on the socket gets the rest of the deadline as its timeout, because a constant one does not stop a slow-drip
receiver.
"""

import http.client
import io
import socket
import time
from functools import partial
from http import HTTPStatus
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from functions.webhooks.target.webhook_url import Target

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
        """Return the time since the start of the send."""
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


class _LimitedReads(io.RawIOBase):
    """The input of a socket. All reads together end at the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._input = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._deadline.limit(self._sock)
        return self._input.readinto(buffer)

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
        self.fp = io.BufferedReader(_LimitedReads(sock, deadline))

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


class PinnedConnection(HTTPConnection):
    """Connection of one send to a checked address. `address`: the last address that was dialled."""

    def __init__(self, target: Target, addresses: list[str], deadline: Deadline, **tls: Any) -> None:
        super().__init__(target.host, target.port, **tls)
        self._addresses = addresses
        self.deadline = deadline
        self.address: str | None = None
        self.response_class = partial(_FinalResponse, deadline)  # type: ignore[assignment] # only called

    def _new_conn(self) -> socket.socket:
        """Connect to the first checked address that accepts. The name is not resolved again."""
        failure: OSError = ConnectionRefusedError()
        for address in self._addresses:
            self.address = address
            try:
                limit_secs = min(CONNECT_SECS, self.deadline.remaining_secs())
                sock = socket.create_connection((address, self.port), limit_secs)
            except OSError as error:
                failure = error if isinstance(error, TimeoutError) else ConnectionRefusedError()
                continue
            # Else the body would wait for the acknowledgement of the headers: one round trip more.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.deadline.limit(sock)  # for the TLS handshake
            return sock
        raise failure

    def send(self, data: Any) -> None:
        """Send all within the deadline: `sendall` has one timeout for all of its data."""
        if self.sock is None:
            self.connect()
        self.deadline.limit(self.sock)
        super().send(data)


class PinnedHttpsConnection(PinnedConnection, HTTPSConnection):
    """HTTPS to a checked address. SNI, Host and the certificate check use the host name."""
