"""Messages between a confined process and the engine.

JSON with bytes as {"base64": text}, in frames of `multiprocessing`. JSON, since that process may be taken over by a
hostile program: nothing that it sends is more than data. A message with `has_file` is followed by the descriptor of an
open file: the content of a large object crosses no socket.
"""

import base64
import io
import json
import os
import socket
import stat
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Final

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from infra.embedded.errors import Answer, Params, ServiceError
from infra.embedded.sockets import SocketFolder

MOST_BYTES: Final = 24 * 1024 * 1024
"""Ten messages of 1 MiB together are smaller, and so is an object that is no file."""


def encode(message: dict[str, Any]) -> bytes:
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


# The confined process's side of the socket: calls of its botocore clients go there, not to the network.

_TIMEOUT_SECS: Final = 60
"""As long as botocore waits for an answer."""
_INLINE_BYTES: Final = 1024 * 1024
"""A larger body goes as a file."""


@contextmanager
def _as_file(body: Any) -> Iterator[BinaryIO | None]:
    """Yield the file of a body that is large or an open file; None for one that fits into a message."""
    if isinstance(body, io.FileIO | io.BufferedReader):
        yield body
    elif hasattr(body, "read") or (isinstance(body, bytes | bytearray) and len(body) > _INLINE_BYTES):
        with open(os.memfd_create("body", os.MFD_CLOEXEC), "r+b") as file:  # noqa: PTH123 - it has no path
            file.write(body.read() if hasattr(body, "read") else body)
            file.seek(0)
            yield file
    else:
        yield None


def open_connection(folder: SocketFolder, name: str, timeout_secs: int = _TIMEOUT_SECS) -> Connection:
    """Connect to a socket of a folder. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            opened.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", timeout_secs, 0))
        opened.connect(folder.address(name))
        return Connection(opened.detach())


class SocketCaller:
    """Connections are kept and used by one call at a time. Fails with botocore's own errors of connections.

    `timeout_secs`: of an answer; None: as long as botocore waits.
    """

    def __init__(self, path: Path, timeout_secs: int | None = None) -> None:
        self._path = path
        self._timeout_secs = timeout_secs
        self._directory = SocketFolder(path.parent)
        self._idle: deque[Connection] = deque()

    def __call__(self, service: str, operation: str, params: Params) -> Answer:
        """Call the engine. Raises ServiceError, EndpointConnectionError, ConnectionClosedError."""
        connection = self._connection()
        try:
            with _as_file(params.get("Body")) as file:
                sent = {name: value for name, value in params.items() if file is None or name != "Body"}
                send(connection, {"service": service, "operation": operation, "params": sent}, file)
                reply, content = receive(connection)
        except (OSError, EOFError, ValueError) as error:
            connection.close()
            self.close()  # the others led to the same process
            raise ConnectionClosedError(endpoint_url=str(self._path), error=error) from error
        self._idle.append(connection)
        if "error" in reply:
            told = reply["error"]
            raise ServiceError(told["code"], told["message"], told["status"], more=told["more"])
        answer: Answer = reply["answer"]
        return answer if content is None else answer | {"Body": content}

    def close(self) -> None:
        """Close the connections that no call uses now."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _connection(self) -> Connection:
        with suppress(IndexError):
            return self._idle.pop()
        try:
            return open_connection(self._directory, self._path.name, self._timeout_secs or _TIMEOUT_SECS)
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=str(self._path), error=error) from error
