"""One connection of a program to a secret's alias: its requests, one after the other, and their answers.

A generator yields what it waits for, so one thread serves all connections of a run, and no call blocks. The egress
proxy ends a connection that is idle, and its end comes as the end of the host's stream.
"""

import contextlib
import json
import re
import select
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Final

import h11

from sandbox_runtime.network.proxy.settings import HOST_NAME
from sandbox_runtime.network.relay.masking import Mask
from sandbox_runtime.network.relay.rules import Headers, OpenSecret, RefusedError, incoming

type Wanted = list[tuple[socket.socket, int]]
"""Sockets, and the events of poll(2) that each is waited for."""

MAX_HEAD_BYTES: Final = 64 << 10
_CHUNK_BYTES: Final = 64 << 10
_FOLDED: Final = re.compile(rb"\n[ \t]")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
HELD_SECS: Final = 5.0
"""The last bytes of a line that has not ended wait so long for those that follow: see `Mask`.

A program can choose where a segment of an answer ends, by what it lets the host return before the value. The next
segment comes a round trip later, and after a loss a second or more: only a host that pauses itself takes longer.
"""
_ENDED: Final = "the host ended the connection"
_BAD_GATEWAY: Final = 502


@dataclass(slots=True)
class SecretUse:
    """What a run did with a secret. `requests`: those that were sent to the host. `error`: the first one, or ""."""

    requests: int = 0
    refused: int = 0
    last_status: int = 0
    error: str = ""


class _HostError(Exception):
    """The host cannot be reached, or does not speak TLS or HTTP as it should. The text is ours."""


class _CutError(Exception):
    """An answer has begun and cannot be completed: the program's connection is reset."""


class _Stream:
    """A socket that never blocks. `unsent`: bytes that the kernel has not taken yet."""

    __slots__ = ("has_ended", "on_read", "on_write", "socket", "unsent")

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self.socket = stream
        self.unsent = b""
        self.has_ended = False
        self.on_read, self.on_write = select.POLLIN, select.POLLOUT

    def receive(self) -> bytes | None:
        """Return bytes, b"" at the end, or None when nothing has come. Raises OSError."""
        try:
            data = self.socket.recv(_CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.on_read = select.POLLIN
            return None
        except ssl.SSLWantWriteError:
            self.on_read = select.POLLOUT
            return None
        self.has_ended = not data
        return data

    def flush(self) -> bool:
        """Send what is left. Returns whether the kernel has taken bytes. Raises OSError."""
        if not self.unsent:
            return False
        try:
            sent = self.socket.send(self.unsent[:_CHUNK_BYTES])
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.on_write = select.POLLOUT
            return False
        except ssl.SSLWantReadError:
            self.on_write = select.POLLIN
            return False
        self.unsent = self.unsent[sent:]
        return sent > 0

    @property
    def has_room(self) -> bool:
        return len(self.unsent) < _CHUNK_BYTES


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class Exchange:
    """Owns both sockets. `tunnel`: leads to the secret's host through the egress proxy.

    `release_at`: when to go on although no socket has an event, by the monotonic clock; None: never.
    """

    def __init__(
        self, program: socket.socket, tunnel: socket.socket, opened: OpenSecret, context: ssl.SSLContext, use: SecretUse
    ) -> None:
        self._opened, self._context, self._use = opened, context, use
        self._program, self._host = _Stream(program), _Stream(tunnel)
        self._is_open = self._is_head = False
        self.release_at: float | None = None
        self._server = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._head = b""

    def serve(self) -> Generator[Wanted]:
        """Serve requests until one side ends. Yields what it waits for."""
        try:
            while (request := (yield from self._next_request())) is not None:
                if not (yield from self._answer(request)):
                    break
                self._head = self._server.trailing_data[0]
                self._server.start_next_cycle()
                self._client.start_next_cycle()
            yield from self._end()
        except (_CutError, h11.ProtocolError, OSError):
            self._reset()
        finally:
            self.close()

    def close(self) -> None:
        """Close both sockets. The host gets no farewell of TLS: a close must not block."""
        self._program.socket.close()
        self._host.socket.close()

    def _reset(self) -> None:
        """Let the program see that an answer is incomplete."""
        with contextlib.suppress(OSError):
            self._program.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def _next_request(self) -> Generator[Wanted, None, h11.Request | None]:
        """Wait for the head of a request. Returns it, or None at the end of either side. Raises OSError."""
        while True:
            try:
                event = self._server.next_event()
            except h11.RemoteProtocolError as error:
                yield from self._refuse(RefusedError(error.error_status_hint, "the request is no valid HTTP/1.1"))
                return None
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            data = self._program.receive()
            if data is not None:
                self._server.receive_data(data)
                self._head += data
                continue
            waited = [(self._program.socket, self._program.on_read)]
            if self._is_open:
                with contextlib.suppress(OSError):
                    if self._host.receive() is None:
                        waited.append((self._host.socket, self._host.on_read))
                if len(waited) == 1:  # it has ended: a host sends nothing between two answers
                    return None
            yield waited

    def _answer(self, request: h11.Request) -> Generator[Wanted, None, bool]:
        """Pass a request and its answer on. Returns whether the connection stays. Raises _CutError and OSError."""
        self._is_head = request.method == b"HEAD"
        try:
            sent = self._checked(request)
            if not self._is_open:
                yield from self._shake_hands()
        except RefusedError as refusal:
            yield from self._refuse(refusal)
            return False
        except _HostError as error:
            yield from self._fail(str(error))
            return False
        if self._server.they_are_waiting_for_100_continue:
            self._program.unsent += self._server.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
        self._use.requests += 1
        self._to_host(sent)
        try:
            yield from self._copy()
        except (_HostError, ssl.SSLError) as error:
            if self._server.our_state is not h11.SEND_RESPONSE:
                raise _CutError from error
            yield from self._fail(str(error) if isinstance(error, _HostError) else _ENDED)
            return False
        except RefusedError as refusal:
            yield from self._fail(refusal.problem)
            return False
        return self._server.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE} and self._client.states == {
            h11.CLIENT: h11.DONE,
            h11.SERVER: h11.DONE,
        }

    def _checked(self, request: h11.Request) -> h11.Request:
        """Return the request for the host. Raises RefusedError."""
        if request.http_version not in {b"1.0", b"1.1"}:
            raise RefusedError(400, "the relay speaks only HTTP/1.1")
        head_end = _HEAD_END.search(self._head)
        if _FOLDED.search(self._head, 0, head_end.end() if head_end else len(self._head)):
            raise RefusedError(400, "a header has more than one line")
        lengths = [value for name, value in request.headers if name == b"content-length"]
        codings = [value for name, value in request.headers if name == b"transfer-encoding"]
        if lengths and codings:
            raise RefusedError(400, "the request has two lengths")
        # Java's client offers HTTP/2 with each request, and a server may ignore that: RFC 9110, section 7.8.
        if any(name == b"upgrade" and value.lower() != b"h2c" for name, value in request.headers):
            raise RefusedError(400, "the relay speaks only HTTP/1.1: the connection cannot be upgraded")
        target, headers = self._opened.outgoing(request.method, request.target, request.headers.raw_items())
        headers += [(b"content-length", value) for value in lengths]
        headers += [(b"transfer-encoding", value) for value in codings]
        return h11.Request(method=request.method, target=target, headers=headers)

    def _shake_hands(self) -> Generator[Wanted]:
        """Begin TLS with the host. Raises _HostError."""
        if self._opened.secret.host == HOST_NAME:  # in development only: the proxy of other stages refuses this name
            self._is_open = True
            return
        try:
            secure = self._context.wrap_socket(
                self._host.socket,
                server_hostname=self._opened.secret.host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        except OSError as error:
            raise _HostError(_ENDED) from error
        self._host, self._is_open = _Stream(secure), True
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                yield [(secure, select.POLLIN)]
            except ssl.SSLWantWriteError:
                yield [(secure, select.POLLOUT)]
            except ssl.SSLCertVerificationError as error:
                raise _HostError(f"the host's certificate is not valid: {error.verify_message}") from error
            except OSError as error:
                raise _HostError("the host cannot be reached by TLS") from error
            else:
                return

    def _to_host(self, event: h11.Event) -> None:
        self._host.unsent += self._client.send(event) or b""

    def _copy(self) -> Generator[Wanted]:
        """Copy the body to the host and the answer to the program, until the answer has ended.

        Raises _HostError, RefusedError and OSError.
        """
        host, program, masking = self._host, self._program, Mask(self._opened.forms)
        while True:
            has_moved = not self._has_sent and host.has_room and not host.has_ended and self._copy_body()
            if not self._has_answered and program.has_room:
                has_moved |= self._copy_answer(masking)
            if has_moved or self._release(masking):
                continue  # so a head leaves with the body that has come
            if not (host.flush() | program.flush()):
                if self._has_answered and not program.unsent:
                    return
                yield self._wanted(host)

    def _release(self, masking: Mask) -> bool:
        """Give out the held bytes when it is time. Returns whether it was."""
        # While the program reads nothing, the host cannot send what follows: that is no time of waiting for it.
        if not masking.holds or self._has_answered or not self._program.has_room:
            self.release_at = None
        elif self.release_at is None:
            self.release_at = monotonic() + HELD_SECS
        elif monotonic() >= self.release_at:
            self._to_program(masking.release())
            self.release_at = None
            return True
        return False

    def _wanted(self, host: _Stream) -> Wanted:
        program, events = self._program, {}
        if host.unsent:
            events[host.socket] = host.on_write
        if program.unsent:
            events[program.socket] = program.on_write
        if not self._has_answered and program.has_room:
            events[host.socket] = events.get(host.socket, 0) | host.on_read
        if not self._has_sent and host.has_room:
            events[program.socket] = events.get(program.socket, 0) | program.on_read
        return list(events.items())

    @property
    def _has_sent(self) -> bool:
        return self._client.our_state is not h11.SEND_BODY

    @property
    def _has_answered(self) -> bool:
        return self._server.our_state not in {h11.SEND_RESPONSE, h11.SEND_BODY}

    def _copy_body(self) -> bool:
        """Move the next part of the request's body. Returns whether there was one. Raises OSError and ProtocolError."""
        event = self._server.next_event()
        if event is h11.NEED_DATA:
            data = self._program.receive()
            if data is None:
                return False
            self._server.receive_data(data)
            return True
        if isinstance(event, h11.Data):
            self._to_host(h11.Data(data=event.data))
        elif isinstance(event, h11.EndOfMessage):
            self._to_host(h11.EndOfMessage())  # without the program's trailers
        else:
            return False
        return True

    def _copy_answer(self, masking: Mask) -> bool:
        """Move the next part of the answer. Returns whether there was one. Raises _HostError and RefusedError."""
        try:
            event = self._client.next_event()
        except h11.RemoteProtocolError as error:
            raise _HostError(_ENDED if self._host.has_ended else "the host's answer is no valid HTTP/1.1") from error
        if event is h11.NEED_DATA:
            try:
                data = self._host.receive()
            except OSError as error:
                raise _HostError(_ENDED) from error
            if data is None:
                return False
            self._client.receive_data(data)
        elif isinstance(event, h11.Response):
            self._begin_answer(event)
        elif isinstance(event, h11.Data):
            self._to_program(masking.feed(bytes(event.data)))
            self.release_at = None  # `_release` counts from the newest bytes: the value may be among them
        elif isinstance(event, h11.EndOfMessage):
            self._to_program(masking.release())
            self._program.unsent += self._server.send(h11.EndOfMessage()) or b""
        elif not isinstance(event, h11.InformationalResponse):
            raise _HostError(_ENDED)
        return True

    def _begin_answer(self, event: h11.Response) -> None:
        headers = incoming(self._opened, event.headers.raw_items())
        self._use.last_status = event.status_code
        if not any(name == b"transfer-encoding" for name, _ in event.headers):
            headers += [(name, value) for name, value in event.headers if name == b"content-length"]
        if self._client.their_state is h11.MUST_CLOSE or not self._has_sent:
            headers.append((b"connection", b"close"))
        response = h11.Response(status_code=event.status_code, headers=headers, reason=_reason(event.status_code))
        self._program.unsent += self._server.send(response) or b""

    def _to_program(self, data: bytes) -> None:
        if data:
            self._program.unsent += self._server.send(h11.Data(data=data)) or b""

    def _refuse(self, refusal: RefusedError) -> Generator[Wanted]:
        self._use.refused += 1
        yield from self._say(refusal.status, refusal.problem)

    def _fail(self, problem: str) -> Generator[Wanted]:
        self._use.error = self._use.error or problem
        yield from self._say(_BAD_GATEWAY, problem)

    def _say(self, status: int, problem: str) -> Generator[Wanted]:
        """Answer in the place of the host, and close."""
        body = json.dumps({"error": f"rustbox: {problem}"}).encode()
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        events = (
            h11.Response(status_code=status, headers=headers, reason=_reason(status)),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        if self._server.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in events:
                if not (self._is_head and isinstance(event, h11.Data)):
                    self._program.unsent += self._server.send(event) or b""
        yield from self._drain()

    def _drain(self) -> Generator[Wanted]:
        while self._program.unsent:
            if not self._program.flush():
                yield [(self._program.socket, self._program.on_write)]

    def _end(self) -> Generator[Wanted]:
        """Send the last bytes and the end, and drop what the program still sends: else its kernel drops the answer."""
        yield from self._drain()
        program = self._program
        with contextlib.suppress(OSError):
            program.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
            program.socket.shutdown(socket.SHUT_WR)
        left_bytes = 1 << 20
        while left_bytes > 0 and not program.has_ended:
            data = program.receive()
            if data is None:
                yield [(program.socket, program.on_read)]
            else:
                left_bytes -= len(data)
