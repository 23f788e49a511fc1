"""One HTTP answer read from a connection, by our own server or one that the user brought along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httptools

if TYPE_CHECKING:
    import socket

_READ_BYTES: Final = 65_536
_FIRST_FINAL: Final = 200
_MAX_HEAD_BYTES: Final = 131_072


@dataclass(slots=True)
class ReadAnswer:
    """Names of `headers` are in lower case. `is_reusable`: another request may be sent on the connection.

    The other methods are what httptools calls.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    is_reusable: bool = False
    has_head: bool = False
    is_complete: bool = False
    _parts: list[bytes] = field(default_factory=list)

    def on_message_begin(self) -> None:
        """Refuse a second answer behind the one that was asked for."""
        if self.is_complete:
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header; several of a name become one."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """From here on the end of the connection may be the end of the body."""
        self.has_head = True

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        self._parts.append(part)

    def finish(self, status: int, *, is_reusable: bool) -> None:
        """Be complete, or begin anew behind an interim answer."""
        if status < _FIRST_FINAL:
            self.headers, self.has_head = {}, False
            return
        self.status, self.content = status, b"".join(self._parts)
        self.is_reusable, self.is_complete = is_reusable, True


class _Parser:
    """httptools tells of the end of a message, and only its parser knows the status then."""

    def __init__(self) -> None:
        self.answer = ReadAnswer()
        self.on_message_begin, self.on_header = self.answer.on_message_begin, self.answer.on_header
        self.on_headers_complete, self.on_body = self.answer.on_headers_complete, self.answer.on_body
        self._parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        self.answer.finish(self._parser.get_status_code(), is_reusable=self._parser.should_keep_alive())

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.answer.is_complete:
                raise ValueError(str(error)) from None
            self.answer.is_reusable = False  # what stands behind it is not ours

    def end(self) -> None:
        """Take the end of the connection for that of a body that has no other."""
        answer = self.answer
        if not answer.has_head or {"content-length", "transfer-encoding"} & answer.headers.keys():
            raise EOFError("the answer ended early")
        answer.finish(self._parser.get_status_code(), is_reusable=False)


def read_answer(stream: socket.socket) -> ReadAnswer:
    """Read one whole answer to anything but HEAD. Raises OSError, EOFError, ValueError."""
    parser, head_bytes = _Parser(), 0
    while not parser.answer.is_complete:
        data = stream.recv(_READ_BYTES)
        if not parser.answer.has_head:
            head_bytes += len(data)
            if head_bytes > _MAX_HEAD_BYTES:
                raise ValueError("the head of the answer is too large")
        if data:
            parser.feed(data)
        else:
            parser.end()
    return parser.answer
