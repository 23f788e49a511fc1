"""The server of the direct path: accept connections, shake hands by TLS, serve requests.

A thread for each connection, at most MAX_CONNECTIONS. Above that, a new connection replaces the oldest one whose client
has not authenticated. So clients without the token cannot keep out those that have it.
"""

import contextlib
import hmac
import json
import logging
import re
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Event, Lock, Thread
from time import monotonic

import h11

from sandbox_runtime.metrics import CONTENT_TYPE
from sandbox_runtime.retry import start_background

# Serve one connection on one thread, with h11. Every read has a limit in bytes and in time.
#
# Another thread may send the answer (`Reply`). So a slot's thread can answer before it cleans up the slot.

MAX_HEAD_BYTES = 8192
REQUEST_SECS = 10.0  # from the first byte of a request to its last
UNAUTHENTICATED_IDLE_SECS = 10.0  # until a client has authenticated
KEPT_IDLE_SECS = 75.0  # between requests of an authenticated client
SEND_SECS = 10.0
_READ_BYTES = 65_536
_SCHEME = b"Bearer "
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_ID_BYTES = 64
_MAX_READ_BYTES = 512

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Routes:
    """The request handlers and limits of a server.

    `execute`: gets the body and the X-Request-Id (or "") of an authorised POST, and must make sure that the reply is
    sent once.
    `cancel`: stops a submission; returns whether it ran here.
    `output`: answers a read of a run's live output, and may wait for it. Raises ValueError for a wrong body.
    `obstacle`: why no work is taken now, as status and problem; None: work is taken. `metrics` returns the page of
    /metrics. `hold` stops the intake for good.
    """

    execute: Callable[[bytes, str, "Reply"], None]
    cancel: Callable[[str], bool]
    output: Callable[[bytes], bytes]
    obstacle: Callable[[], tuple[str, str] | None]
    metrics: Callable[[], str]
    hold: Callable[[], None]
    token: bytes = field(repr=False)
    max_body_bytes: int


class _RefusedError(Exception):
    """Refuse a request with this status. The connection is closed, because the rest of the request is not read."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code
        super().__init__(code)


class Reply:
    """The answer to one request. Any thread may call `send`; only the first call counts."""

    def __init__(self, stream: socket.socket, protocol: h11.Connection) -> None:
        self._stream = stream
        self._protocol = protocol
        self._once = Lock()
        self._unsent = Lock()
        self._unsent.acquire()

    def refuse(self, status: int, code: str) -> None:
        self.send(status, json.dumps({"error": code}).encode())

    def send(self, status: int, body: bytes, *, is_last: bool = False, content_type: str = "application/json") -> bool:
        """Send JSON or another type. False: the client has disconnected, or an answer was sent before."""
        if not self._once.acquire(blocking=False):
            return False
        headers = [("content-type", content_type), ("content-length", str(len(body)))]
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

    def wait(self, longest_secs: float = -1) -> bool:
        """Block until `send` has succeeded or failed. False: it has not after `longest_secs`; -1: no limit."""
        if not self._unsent.acquire(timeout=longest_secs):
            return False
        self._unsent.release()
        return True


class Connection:
    """Serve the requests of one connection until one side closes it. Blocking.

    `on_authenticated`: called for each request with the token. Until then, one answer closes the connection.
    """

    def __init__(self, stream: socket.socket, routes: Routes, on_authenticated: Callable[[], None]) -> None:
        self._stream = stream
        self._routes = routes
        self._on_authenticated = on_authenticated
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._is_authenticated = False

    def serve(self) -> None:
        try:
            while self._serve_one():
                self._protocol.start_next_cycle()
        except (OSError, h11.LocalProtocolError):
            return  # the client disconnected or was too slow: nothing to answer

    def _serve_one(self) -> bool:
        reply = Reply(self._stream, self._protocol)
        try:
            request, deadline = self._request()
            if request is None:
                return False
            if (request.method, request.target) == (b"GET", b"/healthz"):
                self._body(request, deadline, 0)
                self._send_health(reply)
            elif (request.method, request.target) == (b"GET", b"/metrics"):
                self._body(request, deadline, 0)
                self._send_openly(reply, 200, self._routes.metrics().encode(), CONTENT_TYPE)
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

    def _send_health(self, reply: Reply) -> None:
        obstacle = self._routes.obstacle()
        if obstacle is None:
            self._send_openly(reply, 200, b'{"status":"ok"}')
            return
        status, problem = obstacle
        self._send_openly(reply, 503, json.dumps({"status": status, "problem": problem}).encode())

    def _send_openly(self, reply: Reply, status: int, body: bytes, content_type: str = "application/json") -> None:
        """Answer a request that needs no token."""
        reply.send(status, body, is_last=not self._is_authenticated, content_type=content_type)

    def _execute(self, request: h11.Request, deadline: float, reply: Reply) -> None:
        self._check_token(request)
        if (request.method, request.target) == (b"POST", b"/v1/drain"):
            self._body(request, deadline, 0)
            self._routes.hold()
            reply.send(202, b'{"status":"draining"}')
            return
        if request.target not in {b"/v1/execute", b"/v1/cancel", b"/v1/output"}:
            raise _RefusedError(404, "not_found")
        if request.method != b"POST":
            raise _RefusedError(405, "method_not_allowed")
        if request.target == b"/v1/cancel":
            self._cancel(self._body(request, deadline, _MAX_ID_BYTES), reply)
            return
        if request.target == b"/v1/output":
            self._send_output(self._body(request, deadline, _MAX_READ_BYTES), reply)
            return
        body = self._body(request, deadline, self._routes.max_body_bytes)
        try:
            self._routes.execute(body, _header(request, b"x-request-id"), reply)
        except Exception:  # noqa: BLE001 - the entry point of a request
            _LOG.exception("request failed")
            reply.refuse(500, "internal")

    def _cancel(self, body: bytes, reply: Reply) -> None:
        """Answer whether the submission ran here. If it did not, it will not begin here."""
        submission_id = body.decode(errors="replace")
        if not _UUID.fullmatch(submission_id):
            raise _RefusedError(400, "bad_request")
        reply.send(200, json.dumps({"ran": self._routes.cancel(submission_id)}).encode())

    def _send_output(self, body: bytes, reply: Reply) -> None:
        try:
            content = self._routes.output(body)
        except ValueError:
            raise _RefusedError(400, "bad_request") from None
        reply.send(200, content)

    def _check_token(self, request: h11.Request) -> None:
        given = [value for name, value in request.headers if name == b"authorization"]
        # Compare even a wrong scheme: every wrong header must take the same time.
        text = given[0] if len(given) == 1 else b""
        if not hmac.compare_digest(text, _SCHEME + self._routes.token):
            raise _RefusedError(401, "unauthorized")
        self._is_authenticated = True
        self._on_authenticated()

    def _request(self) -> tuple[h11.Request | None, float]:
        """Read the head of the next request. Returns it (None: the client closed) and the deadline of its last byte."""
        if not self._protocol.trailing_data[0]:
            self._stream.settimeout(KEPT_IDLE_SECS if self._is_authenticated else UNAUTHENTICATED_IDLE_SECS)
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


def _header(request: h11.Request, name: bytes) -> str:
    return next((value.decode("latin-1") for found, value in request.headers if found == name), "")


def _has_gone(stream: socket.socket) -> bool:
    poller = select.poll()
    poller.register(stream, select.POLLRDHUP)
    return bool(poller.poll(0))


# TLS of the runner's server: its own certificate and key, from files.

HANDSHAKE_SECS = 10.0


def server_context(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return the settings of all connections: TLS 1.2 or newer, with this certificate chain.

    Raises OSError: a file cannot be read, is not PEM, or the key is not the certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Callers keep their connections. A ticket would make an idle one look as if an answer were waiting.
    context.num_tickets = 0
    # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
    context.load_cert_chain(certificate_file, key_file, password="")
    return context


def encrypt(stream: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Shake hands, within HANDSHAKE_SECS in total. Raises OSError; the connection is then closed."""
    stream.settimeout(HANDSHAKE_SECS)
    try:
        return context.wrap_socket(stream, server_side=True)
    except OSError as error:
        stream.close()
        # Not a warning: any client that reaches the port can cause as many as it likes.
        _LOG.debug("TLS handshake failed", extra={"problem": getattr(error, "reason", None) or type(error).__name__})
        raise


MAX_CONNECTIONS = 512  # half of them may wait for the output of runs
_BACKLOG = 128
_PAUSE_SECS = 0.1
_REPLACE_SECS = 1.0  # for the thread of a closed connection to end


def bind(host: str, port: int) -> socket.socket:
    """Listen on one literal address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class Server:
    """Accept and serve connections. Owns the listening socket. `tls`: None for plain HTTP."""

    def __init__(self, listener: socket.socket, routes: Routes, tls: ssl.SSLContext | None = None) -> None:
        self._listener = listener
        self._routes = routes
        self._tls = tls
        self._free = BoundedSemaphore(MAX_CONNECTIONS)
        # Duplicates of the sockets of clients that have not authenticated, oldest first. TLS takes over the first ones.
        self._unauthenticated: dict[socket.socket, None] = {}
        self._lock = Lock()
        self._stopping = Event()

    def start(self) -> None:
        start_background(self._accept, stop=self._stopping)

    def stop(self) -> None:
        """Stop accepting. Open connections end with the process."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                stream, _ = self._listener.accept()
                try:
                    duplicate = stream.dup()
                except OSError:
                    stream.close()
                    raise
            except OSError as error:
                if not self._stopping.wait(_PAUSE_SECS):  # for example too many open files: retry later
                    _LOG.warning("connection not accepted", extra={"errno": error.errno})
                continue
            if not self._free.acquire(blocking=False) and not self._replace_oldest():
                stream.close()
                duplicate.close()
                continue
            self._unauthenticated[duplicate] = None
            try:
                Thread(target=self._serve, args=(stream, duplicate), daemon=True).start()
            except RuntimeError:  # no more threads
                _LOG.warning("connection not served")
                stream.close()
                self._end(duplicate)

    def _replace_oldest(self) -> bool:
        """Close the oldest connection of a client that has not authenticated. False: there is none."""
        with self._lock:
            oldest = next(iter(self._unauthenticated), None)
            if oldest is None:
                return False
            del self._unauthenticated[oldest]
            with contextlib.suppress(OSError):  # the client was faster
                oldest.shutdown(socket.SHUT_RDWR)  # wakes its thread
        return self._free.acquire(timeout=_REPLACE_SECS)

    def _serve(self, stream: socket.socket, duplicate: socket.socket) -> None:
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # On this thread: a client that does not shake hands must not hold up the others.
            with stream if self._tls is None else encrypt(stream, self._tls) as served:
                Connection(served, self._routes, lambda: self._keep(duplicate)).serve()
        except OSError:
            stream.close()  # before the first request; nothing to answer
        except Exception:  # noqa: BLE001 - the entry point of this thread
            _LOG.exception("connection failed")
        finally:
            self._end(duplicate)

    def _keep(self, duplicate: socket.socket) -> None:
        """Never replace this connection: its client has authenticated."""
        with self._lock:
            self._unauthenticated.pop(duplicate, None)
            duplicate.close()

    def _end(self, duplicate: socket.socket) -> None:
        self._keep(duplicate)
        self._free.release()
