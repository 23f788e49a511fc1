"""One connection on one thread: h11 reads the protocol, everything read has a bound in bytes and in time.

The answer is given by whichever thread has it (`Reply`), so that it leaves before that thread cleans up behind it.
"""

import hmac
import json
import logging
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

import h11

MAX_HEAD_BYTES = 8192
REQUEST_SECS = 10.0  # from its first byte to its last
UNPROVEN_IDLE_SECS = 10.0  # nobody with the token has spoken yet
KEPT_IDLE_SECS = 75.0
SEND_SECS = 10.0
_READ_BYTES = 65_536
_SCHEME = b"Bearer "

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Routes:
    """`execute` gets the body of an authorised POST and must see to it that the reply is sent, once.

    `is_accepting`: False while the worker drains.
    """

    execute: Callable[[bytes, "Reply"], None]
    is_accepting: Callable[[], bool]
    token: bytes = field(repr=False)
    max_body_bytes: int


class _RefusedError(Exception):
    """An answer without any work. The connection ends: the rest of the request is not read."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code
        super().__init__(code)


class Reply:
    """The answer to one request. `send` may be called by any thread; only the first call counts."""

    def __init__(self, stream: socket.socket, protocol: h11.Connection) -> None:
        self._stream = stream
        self._protocol = protocol
        self._once = Lock()
        self._unsent = Lock()
        self._unsent.acquire()

    def refuse(self, status: int, code: str) -> None:
        """Answer with an error of ours."""
        self.send(status, json.dumps({"error": code}).encode())

    def send(self, status: int, body: bytes, *, is_last: bool = False) -> bool:
        """Send JSON. False: the client is known to have gone, or something was sent before."""
        if not self._once.acquire(blocking=False):
            return False
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        if is_last:
            headers.append(("connection", "close"))
        try:
            if _has_gone(self._stream):
                return False
            parts = (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
            content = b"".join(self._protocol.send(part) or b"" for part in parts)
            self._stream.settimeout(SEND_SECS)
            self._stream.sendall(content)
        except (OSError, h11.LocalProtocolError):
            self._protocol.send_failed()
            return False
        finally:
            self._unsent.release()
        return True

    def wait(self) -> None:
        """Block until it is sent, or could not be."""
        with self._unsent:
            pass


class Connection:
    """Serves requests until one side ends. Blocking."""

    def __init__(self, stream: socket.socket, routes: Routes) -> None:
        self._stream = stream
        self._routes = routes
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._is_proven = False

    def serve(self) -> None:
        """Answer one request after the other."""
        try:
            while self._serve_one():
                self._protocol.start_next_cycle()
        except (OSError, h11.LocalProtocolError):
            return  # gone, or too slow: there is nobody to tell

    def _serve_one(self) -> bool:
        reply = Reply(self._stream, self._protocol)
        try:
            request, deadline = self._request()
            if request is None:
                return False
            if (request.method, request.target) == (b"GET", b"/healthz"):
                self._body(request, deadline, 0)
                ready = self._routes.is_accepting()
                reply.send(200 if ready else 503, b'{"status":"ok"}' if ready else b'{"status":"draining"}')
            else:
                self._execute(request, deadline, reply)
        except _RefusedError as refused:
            reply.send(refused.status, json.dumps({"error": refused.code}).encode(), is_last=True)
        except h11.RemoteProtocolError as error:
            if self._protocol.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                reply.send(error.error_status_hint, b'{"error":"bad_request"}', is_last=True)
            return False
        reply.wait()
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    def _execute(self, request: h11.Request, deadline: float, reply: Reply) -> None:
        self._check_token(request)
        if request.target != b"/v1/execute":
            raise _RefusedError(404, "not_found")
        if request.method != b"POST":
            raise _RefusedError(405, "method_not_allowed")
        body = self._body(request, deadline, self._routes.max_body_bytes)
        try:
            self._routes.execute(body, reply)
        except Exception:  # noqa: BLE001 - the entry point of a request
            _LOG.exception("request failed")
            reply.refuse(500, "internal")

    def _check_token(self, request: h11.Request) -> None:
        given = [value for name, value in request.headers if name == b"authorization"]
        # A wrong scheme is compared too, so that every wrong header takes the same way.
        text = given[0] if len(given) == 1 else b""
        if not hmac.compare_digest(text, _SCHEME + self._routes.token):
            raise _RefusedError(401, "unauthorized")
        self._is_proven = True

    def _request(self) -> tuple[h11.Request | None, float]:
        """The next request's head and when its last byte must be here; None: the client has ended."""
        if not self._protocol.trailing_data[0]:
            self._stream.settimeout(KEPT_IDLE_SECS if self._is_proven else UNPROVEN_IDLE_SECS)
            self._protocol.receive_data(self._stream.recv(_READ_BYTES))
        deadline = monotonic() + REQUEST_SECS
        event = self._next_event(deadline)
        return (event if isinstance(event, h11.Request) else None), deadline

    def _body(self, request: h11.Request, deadline: float, most: int) -> bytes:
        lengths = [value for name, value in request.headers if name == b"content-length"]
        if not lengths and request.method == b"POST":
            raise _RefusedError(411, "length_required")
        if lengths and int(lengths[0]) > most:  # h11 has checked that it is a number
            raise _RefusedError(413, "too_large")
        if any(name == b"transfer-encoding" for name, _ in request.headers):
            raise _RefusedError(411, "length_required")
        parts = []
        while isinstance(event := self._next_event(deadline), h11.Data):
            parts.append(bytes(event.data))
        return b"".join(parts)

    def _next_event(self, deadline: float) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                self._stream.sendall(self._protocol.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            left_secs = deadline - monotonic()
            if left_secs <= 0:
                raise TimeoutError
            self._stream.settimeout(left_secs)
            self._protocol.receive_data(self._stream.recv(_READ_BYTES))
        return event


def _has_gone(stream: socket.socket) -> bool:
    poller = select.poll()
    poller.register(stream, select.POLLRDHUP)
    return bool(poller.poll(0))
