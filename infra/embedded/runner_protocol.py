"""Frames between the runner and the engine: four bytes of length, then JSON with bytes as {"base64": text}.

JSON, since the runner executes hostile programs and may be taken over: nothing that it sends is more than data.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

_MOST_BYTES: Final = 24 * 1024 * 1024
"""An object of 16 MiB in base64: the cases of a judge run. Ten messages of 1 MiB together are smaller."""
_HEAD_BYTES: Final = 4


class ConnectionEndedError(Exception):
    """The other side closed the connection, or sent more than a frame may have."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one frame."""
    text = json.dumps(message, separators=(",", ":"), default=_encode).encode()
    connection.sendall(len(text).to_bytes(_HEAD_BYTES) + text)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Receive one frame. Raises ConnectionEndedError, ValueError."""
    size = int.from_bytes(_exactly(connection, _HEAD_BYTES))
    if size > _MOST_BYTES:
        raise ConnectionEndedError(f"a frame of {size} bytes; at most {_MOST_BYTES}")
    message = json.loads(_exactly(connection, size), object_hook=_decode)
    if not isinstance(message, dict):
        raise ValueError("a frame must be an object")  # noqa: TRY004 - as for other wrong frames
    return message


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise ConnectionEndedError("the other side closed the connection")
        parts += part
    return bytes(parts)


def _encode(value: Any) -> dict[str, str]:
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"a frame holds no {type(value).__name__}")
    return {"base64": base64.b64encode(value).decode()}


def _decode(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"], validate=True) if value.keys() == {"base64"} else value
