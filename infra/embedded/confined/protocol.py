"""Messages between a confined process and the engine.

JSON with bytes as {"base64": text}, in frames of `multiprocessing`. JSON, since that process may be taken over by a
hostile program: nothing that it sends is more than data. A message with `has_file` is followed by the descriptor of an
open file: the content of a large object crosses no socket.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from typing import BinaryIO

MOST_BYTES: Final = 24 * 1024 * 1024
"""Ten messages of 1 MiB together are smaller, and so is an object that is no file."""


def encode(message: dict[str, Any]) -> bytes:
    """Return the bytes of a message."""
    return json.dumps(message, separators=(",", ":"), default=_encode).encode()


def decode(content: bytes) -> dict[str, Any]:
    """Return the message of these bytes. Raises ValueError."""
    try:
        message = json.loads(content, object_hook=_decode)
    except (TypeError, RecursionError) as error:  # base64 that is no text, or a value nested too deeply
        raise ValueError("no message") from error
    if not isinstance(message, dict):
        raise ValueError("a message must be an object")  # noqa: TRY004 - as for other wrong messages
    return message


def send(connection: Connection, message: dict[str, Any], file: BinaryIO | None = None) -> None:
    """Send one message, with a file that the receiver may read."""
    if file is not None:
        message = message | {"has_file": True}
    connection.send_bytes(encode(message))
    if file is not None:
        with closing(socket.socket(fileno=os.dup(connection.fileno()))) as sender:
            socket.send_fds(sender, [b"\0"], [file.fileno()])


def receive(connection: Connection) -> tuple[dict[str, Any], BinaryIO | None]:
    """Receive one message, and its file if it has one. Raises EOFError at the end, ValueError.

    OSError for a message that is too large.
    """
    message = decode(connection.recv_bytes(MOST_BYTES))
    return message, _receive_file(connection) if message.pop("has_file", False) else None


def _receive_file(connection: Connection) -> BinaryIO:
    with closing(socket.socket(fileno=os.dup(connection.fileno()))) as receiver:
        content, descriptors, _, _ = socket.recv_fds(receiver, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not content:
        raise EOFError
    if not descriptors:
        raise ValueError("a message with a file must be followed by its descriptor")
    # Unbuffered, so that nothing is read ahead. A pipe or a device could hold up its reader for ever.
    file = io.FileIO(descriptors[0], "rb")
    if not stat.S_ISREG(os.fstat(descriptors[0]).st_mode):
        file.close()
        raise ValueError("only regular files can be sent")
    return file


def _encode(value: Any) -> dict[str, str]:
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"a message holds no {type(value).__name__}")
    return {"base64": base64.b64encode(value).decode()}


def _decode(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"], validate=True) if value.keys() == {"base64"} else value
