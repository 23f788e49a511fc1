"""uvicorn's HTTP/1.1 with bounds that it has no settings for: heads, the times of heads and bodies, connections."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from infra.local.http.gateway import Manners

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEAD_LINES: Final = 100
MAX_ADDRESS_BYTES: Final = 10 * 1024  # 64 KiB of parameters would hold up the event loop for 60 ms
IDLE_SECS: Final = 65  # a load balancer of AWS keeps its side for 60: the one that reuses it must not end first
HEAD_SECS: Final = 10.0
BODY_SECS: Final = 30.0
UPLOAD_BYTES_PER_SEC: Final = 32 * 1024
ANSWER_SECS: Final = 30.0
"""A client that takes nothing of its answer for so long is disconnected."""
_MAX_PIPELINED: Final = 8
# Many clients read an answer only once they have sent their request, and lose it if we close before.
_LINGER_SECS: Final = 2.0
_MAX_DISCARDED_HEAD: Final = 256 * 1024
_MAX_DISCARDED_BODY: Final = 16 * 1024 * 1024


class Connections:
    """The connections without a request under way. Beyond `most` connections, the oldest of these is closed.

    Those that never sent a request go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._new: dict[BoundedProtocol, None] = {}
        self._idle: dict[BoundedProtocol, None] = {}

    def add(self, connection: BoundedProtocol, total: int) -> bool:
        """Add a new one; False if all the others are busy. `total`: with this one."""
        if total > self._most:
            oldest = next(iter(self._new), None) or next(iter(self._idle), None)
            if oldest is None:
                return False
            self.remove(oldest)
            oldest.end()
        self._new[connection] = None
        return True

    def set_idle(self, connection: BoundedProtocol) -> None:
        """Note that the last request of a connection has ended."""
        self._idle[connection] = None

    def remove(self, connection: BoundedProtocol) -> None:
        """Forget a connection that is busy or closed."""
        self._new.pop(connection, None)
        self._idle.pop(connection, None)


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, bounded: Connections, manners: Manners, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bounded = bounded
        self._manners = manners
        self._timer: asyncio.TimerHandle | None = None
        self._is_in_head = False
        self._is_in_body = False
        self._under_way = 0  # requests with a whole head and no whole answer
        self._head_bytes = self._head_lines = 0
        self._hosts = 0  # lines of the head with one
        self._same_head = b""  # of a request to upgrade, without its upgrade
        self._silent_bytes = 0  # received since the last begin, end or piece of a message
        self._has_progress = False
        self._discarded_bytes = 0
        self._body_bytes = 0  # of the body that is being received
        self._refusal = HTTPStatus.BAD_REQUEST
        self._problem = ""  # what the client can mend, for the refusal
        self._is_refused = False
        self._running: RequestResponseCycle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Count the connection, and bound the time of its first head."""
        super().connection_made(transport)
        if self._bounded.add(self, len(self.connections)):
            self._set_timer()
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_timer()
        self._clear_send_timer()
        self._bounded.remove(self)
        super().connection_lost(exc)
        self._tell_running()

    def data_received(self, data: bytes) -> None:
        """Parse, and bound what the parser keeps meanwhile."""
        if self._is_refused:
            self._discard(len(data), _MAX_DISCARDED_HEAD)
            return
        self._has_progress = False
        self._unset_keepalive_if_required()
        self._parse(data)
        self._silent_bytes = 0 if self._has_progress else self._silent_bytes + len(data)
        if self._is_refused or self.transport.is_closing():
            return
        if self._silent_bytes > MAX_HEAD_BYTES:  # an unfinished head, or what follows the last piece of a body
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._timer is None:
            self._set_timer()

    def _parse(self, data: bytes) -> None:
        """Parse, or refuse what the parser or a bound of this class does not take. Ignores upgrades.

        RFC 9110, section 7.8, allows that. But the parser would take the body of such a request for the next request.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            head, self._same_head = self._same_head, b""
            self._parse(head + data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal, self._problem)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = self._has_progress = True
        self._head_bytes = self._head_lines = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_ADDRESS_BYTES:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
            raise ValueError("the address is too long")
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head, or of the trailer, which is dropped."""
        self._head_lines += 1
        self._count(len(name) + len(value) + len(": \r\n"))
        if self._is_in_head:  # fields after the body are no headers
            self._hosts += name.lower() == b"host"
            super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or self._head_lines > MAX_HEAD_LINES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError("the head is too large")

    def on_headers_complete(self) -> None:
        self._clear_timer()
        self._is_in_head, self._has_progress = False, True
        if self.parser.should_upgrade():
            fields = [b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade"]
            if len(fields) == len(self.headers):
                raise ValueError("CONNECT asks for a tunnel")
            version = self.parser.get_http_version().encode()
            first = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
            self._same_head = b"".join([first, *fields, b"\r\n"])
            return
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise ValueError("too many requests without waiting for answers")
        if self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() != "1.0"):  # RFC 9112, section 3.2
            self._problem = "HTTP/1.1 needs one Host header: send the host of the address once."
            raise ValueError(self._problem)
        super().on_headers_complete()  # raises for an address that is none
        self._is_in_body = True
        self._body_bytes = 0
        self.flow.resume_reading()  # the base class pauses behind a request under way: the end would go unnoticed
        self._under_way += 1
        self._bounded.remove(self)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, for a while also after the answer."""
        self._has_progress = True
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            self._discard(len(body), _MAX_DISCARDED_BODY)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._same_head:
            return
        self._clear_timer()
        self._is_in_body, self._has_progress = False, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._under_way -= 1
        if self._running is not None:
            self._running.body.clear()  # else the unread body of a refused request stays with its connection
        if not self._under_way:
            self._bounded.set_idle(self)
        super().on_response_complete()
        if self.transport.is_closing():  # when the client has taken the rest of its answer
            self._watch_sending()

    def pause_writing(self) -> None:
        """Watch a client that does not take its answer as fast as we send it."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        self._clear_send_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one whose client has not taken the end of an answer."""
        self.transport.abort()

    def _watch_sending(self, earlier_bytes: int | None = None) -> None:
        """Disconnect the client if it takes nothing for ANSWER_SECS. `earlier_bytes`: not sent when this was called."""
        self._clear_send_timer()
        unsent_bytes = self.transport.get_write_buffer_size()
        if earlier_bytes is not None and unsent_bytes >= earlier_bytes:
            self.transport.abort()
        else:
            self._send_timer = self.loop.call_later(ANSWER_SECS, self._watch_sending, unsent_bytes)

    def _clear_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _refuse(self, status: HTTPStatus, problem: str = "") -> None:
        """Answer and close. Without an answer where it would be taken for that of another request."""
        self._clear_timer()
        self._is_refused = True
        if self._is_in_body:
            may_answer = self._under_way == 1 and not self.cycle.response_started
        else:
            may_answer = self._under_way == 0
        self._tell_running()
        if not may_answer:
            self.transport.close()
            return
        body = json.dumps({"message": problem or status.phrase}).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_SECS, self.transport.abort)

    def end(self) -> None:
        """Close an idle connection, and wait little for a client that has not taken the end of its answer."""
        self._clear_timer()
        self.transport.close()
        self._timer = self.loop.call_later(_LINGER_SECS, self.transport.abort)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _tell_running(self) -> None:
        """Tell the request under way that its client is gone. The base class tells the last one that was received."""
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _discard(self, size: int, most: int) -> None:
        self._discarded_bytes += size
        if self._discarded_bytes > most:
            self.transport.close()

    def _set_timer(self) -> None:
        """Bound the time of the head or body that this connection is about to send."""
        if self._is_in_body:
            self._timer = self.loop.call_later(BODY_SECS, self._end_body, self._body_bytes)
        elif not self._under_way:
            self._timer = self.loop.call_later(HEAD_SECS, self._end_head)

    def _end_body(self, earlier_bytes: int) -> None:
        """Refuse a body that is not received in time. An upload has more time while it is fast enough."""
        is_fast = self._body_bytes - earlier_bytes >= BODY_SECS * UPLOAD_BYTES_PER_SEC
        if is_fast and self._manners.of(dict(self.scope)).read_max_bytes == 0:
            self._set_timer()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _end_head(self) -> None:
        if self._is_in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()  # it has sent nothing

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
