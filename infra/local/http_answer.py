"""One HTTP answer read from a connection, by our own server or one that the user brought along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

_MAX_LINE_BYTES: Final = 65_536
_FIRST_FINAL: Final = 200
_NO_CONTENT: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """Names of `headers` are in lower case. `is_reusable`: another request may be sent on the connection."""

    status: int
    headers: dict[str, str]
    content: bytes
    is_reusable: bool


def read_answer(stream: BinaryIO) -> ReadAnswer:
    """Read one whole answer to anything but HEAD. Raises OSError, EOFError, ValueError."""
    status, headers = 0, {}
    version = ""
    while status < _FIRST_FINAL:  # interim answers come before it
        version, _, rest = _line(stream).partition(" ")
        status = int(rest[:3])
        headers = _headers(stream)
    is_reusable = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in _NO_CONTENT:
        content = b""
    elif "transfer-encoding" in headers:
        content = _chunks(stream)
    elif "content-length" in headers:
        content = _exactly(stream, int(headers["content-length"]))
    else:
        content, is_reusable = stream.read(), False
    return ReadAnswer(status, headers, content, is_reusable)


def _headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _chunks(stream: BinaryIO) -> bytes:
    parts = []
    while size := int(_line(stream).partition(";")[0], 16):
        parts.append(_exactly(stream, size))
        _line(stream)
    _headers(stream)
    return b"".join(parts)


def _line(stream: BinaryIO) -> str:
    line = stream.readline(_MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise EOFError("the answer ended early")
    return line.decode("latin-1").rstrip("\r\n")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError("the answer ended early")
    return content
