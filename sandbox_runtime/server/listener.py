"""Accept connections, one thread for each, at most MAX_CONNECTIONS."""

import contextlib
import logging
import socket
import ssl
from threading import BoundedSemaphore, Event, Thread

from sandbox_runtime.background import start_background
from sandbox_runtime.server.connection import Connection, Routes
from sandbox_runtime.server.tls import encrypt

MAX_CONNECTIONS = 256
_BACKLOG = 128
_PAUSE_SECS = 0.1

_LOG = logging.getLogger(__name__)


def bind(host: str, port: int) -> socket.socket:
    """Listen on one literal address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class Server:
    """Accept and serve connections. Owns the listening socket. `tls`: None for plain HTTP."""

    def __init__(self, listener: socket.socket, routes: Routes, tls: ssl.SSLContext | None = None) -> None:
        self._listener = listener
        self._routes = routes
        self._tls = tls
        self._free = BoundedSemaphore(MAX_CONNECTIONS)
        self._stopping = Event()

    def start(self) -> None:
        """Start to accept."""
        start_background(self._accept, stop=self._stopping)

    def stop(self) -> None:
        """Stop accepting. Open connections end with the process."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                stream, _ = self._listener.accept()
            except OSError as error:
                if not self._stopping.wait(_PAUSE_SECS):  # for example too many open files: retry later
                    _LOG.warning("connection not accepted", extra={"errno": error.errno})
                continue
            if not self._free.acquire(blocking=False):
                stream.close()
                continue
            try:
                Thread(target=self._serve, args=(stream,), daemon=True).start()
            except RuntimeError:  # no more threads
                _LOG.warning("connection not served")
                stream.close()
                self._free.release()

    def _serve(self, stream: socket.socket) -> None:
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # On this thread: a client that does not shake hands must not hold up the others.
            with stream if self._tls is None else encrypt(stream, self._tls) as served:
                Connection(served, self._routes).serve()
        except OSError:
            stream.close()  # before the first request; nothing to answer
        except Exception:  # noqa: BLE001 - the entry point of this thread
            _LOG.exception("connection failed")
        finally:
            self._free.release()
