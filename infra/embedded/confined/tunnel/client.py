"""The client's end: a socket like that of the engine, on another host. Each of its connections has one through TLS."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import closing, nullcontext
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.confined import protocol
from infra.embedded.confined.tunnel.wire import (
    MOST_WELCOME_BYTES,
    RefusedError,
    Server,
    UntrustedError,
    Wire,
    connect,
    read_welcome,
)
from infra.embedded.socket_folder import SocketFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.embedded.confined.tunnel.wire import Greeting

_MOST_CONNECTIONS: Final = 64
_GREETING_SECS: Final = 15.0
_ANSWER_SECS: Final = 60.0
_PAUSE_SECS: Final = 0.1


class TunnelClient:
    """`path`: of the socket, in a folder that exists. `on_refused` is called when the server takes us no more."""

    def __init__(
        self, path: Path, server: Server, greeting: Greeting, on_refused: Callable[[RefusedError], None]
    ) -> None:
        self._path = path
        self._server = server
        self._greeting = greeting
        self._on_refused = on_refused
        self._free = threading.Semaphore(_MOST_CONNECTIONS)
        path.unlink(missing_ok=True)
        self._folder = SocketFolder(path.parent)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self._folder.address(path.name))
        os.chmod(path, 0o600)  # noqa: PTH101 - like the other calls on the socket
        self._listener.listen(_MOST_CONNECTIONS)

    def greet(self) -> dict[str, Any]:
        """Connect once. Return the server's version, our name and variables.

        Raises OSError, EOFError, ValueError, UntrustedError, RefusedError.
        """
        wire, welcome = self._connect()
        wire.close()
        return welcome

    def start(self) -> None:
        """Take connections of the confined process from now on."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def _connect(self) -> tuple[Wire, dict[str, Any]]:
        stream = connect(self._server)
        wire = Wire(stream, str(self._path.parent))
        try:
            wire.send(self._greeting.message())
            with wire.receive(MOST_WELCOME_BYTES, within_secs=_GREETING_SECS) as (message, _):
                return wire, read_welcome(message)
        except BaseException:
            wire.close()
            raise

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            try:
                accepted, _ = self._listener.accept()
                try:
                    threading.Thread(target=self._serve, args=(accepted,), name="connection", daemon=True).start()
                except RuntimeError:  # no more threads
                    accepted.close()
                    raise
            except (OSError, RuntimeError):
                self._free.release()
                time.sleep(_PAUSE_SECS)

    def _serve(self, accepted: socket.socket) -> None:
        try:
            with Connection(accepted.detach()) as near:
                wire, _ = self._connect()
                with closing(wire):
                    self._pass_on(near, wire)
        except RefusedError as refused:
            self._on_refused(refused)
        except UntrustedError as error:
            self._on_refused(RefusedError("certificate", str(error)))
        except (OSError, EOFError, ValueError):
            return  # the confined process sees a closed connection, and tries again
        finally:
            self._free.release()

    def _pass_on(self, near: Connection, wire: Wire) -> None:
        receive = partial(wire.receive, protocol.MOST_BYTES, wait_secs=_ANSWER_SECS, lend_file=lambda _: nullcontext())
        while True:
            request, file = protocol.receive(near)
            with file or nullcontext():
                wire.send(request, file)
            with receive() as (answer, content):
                protocol.send(near, answer, content)
