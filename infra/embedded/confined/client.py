"""The confined process's side of the socket: calls of its botocore clients go there, not to the network."""

from __future__ import annotations

import io
import os
import socket
import struct
from collections import deque
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from infra.embedded.confined import protocol
from infra.embedded.errors import ServiceError
from infra.embedded.socket_folder import SocketFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.embedded.calls import Answer, Params

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
                protocol.send(connection, {"service": service, "operation": operation, "params": sent}, file)
                reply, content = protocol.receive(connection)
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
