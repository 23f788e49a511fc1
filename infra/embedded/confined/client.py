"""The confined process's side of the socket: calls of its botocore clients go there, not to the network."""

from __future__ import annotations

import socket
import struct
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from infra.embedded.confined import protocol
from infra.embedded.errors import ServiceError
from infra.embedded.socket_folder import SocketFolder

if TYPE_CHECKING:
    from pathlib import Path

    from infra.embedded.calls import Answer, Params

_TIMEOUT_SECS: Final = 60
"""As long as botocore waits for an answer."""


class SocketCaller:
    """Connections are kept and used by one call at a time. Fails with botocore's own errors of connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = SocketFolder(path.parent)
        self._idle: deque[Connection] = deque()

    def __call__(self, service: str, operation: str, params: Params) -> Answer:
        """Call the engine. Raises ServiceError, EndpointConnectionError, ConnectionClosedError."""
        connection = self._connection()
        try:
            protocol.send(connection, {"service": service, "operation": operation, "params": params})
            reply = protocol.receive(connection)
        except (OSError, EOFError, ValueError) as error:
            connection.close()
            self.close()  # the others led to the same process
            raise ConnectionClosedError(endpoint_url=str(self._path), error=error) from error
        self._idle.append(connection)
        if "error" in reply:
            told = reply["error"]
            raise ServiceError(told["code"], told["message"], told["status"], more=told["more"])
        answer: Answer = reply["answer"]
        return answer

    def close(self) -> None:
        """Close the connections that no call uses now."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _connection(self) -> Connection:
        with suppress(IndexError):
            return self._idle.pop()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
                for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                    opened.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", _TIMEOUT_SECS, 0))
                opened.connect(self._directory.address(self._path.name))
                return Connection(opened.detach())
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=str(self._path), error=error) from error
