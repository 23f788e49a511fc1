"""Accept connections, one thread for each, at most MAX_CONNECTIONS.

Above that, a new connection replaces the oldest one whose client has not authenticated. So clients without the token
cannot keep out those that have it.
"""

import contextlib
import logging
import socket
import ssl
from threading import BoundedSemaphore, Event, Lock, Thread

from sandbox_runtime.background import start_background
from sandbox_runtime.server.connection import Connection, Routes
from sandbox_runtime.server.tls import encrypt

MAX_CONNECTIONS = 512  # half of them may wait for the output of runs
_BACKLOG = 128
_PAUSE_SECS = 0.1
_REPLACE_SECS = 1.0  # for the thread of a closed connection to end

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
        # Duplicates of the sockets of clients that have not authenticated, oldest first. TLS takes over the first ones.
        self._unauthenticated: dict[socket.socket, None] = {}
        self._lock = Lock()
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
                try:
                    duplicate = stream.dup()
                except OSError:
                    stream.close()
                    raise
            except OSError as error:
                if not self._stopping.wait(_PAUSE_SECS):  # for example too many open files: retry later
                    _LOG.warning("connection not accepted", extra={"errno": error.errno})
                continue
            if not self._free.acquire(blocking=False) and not self._replace_oldest():
                stream.close()
                duplicate.close()
                continue
            self._unauthenticated[duplicate] = None
            try:
                Thread(target=self._serve, args=(stream, duplicate), daemon=True).start()
            except RuntimeError:  # no more threads
                _LOG.warning("connection not served")
                stream.close()
                self._end(duplicate)

    def _replace_oldest(self) -> bool:
        """Close the oldest connection of a client that has not authenticated. False: there is none."""
        with self._lock:
            oldest = next(iter(self._unauthenticated), None)
            if oldest is None:
                return False
            del self._unauthenticated[oldest]
            with contextlib.suppress(OSError):  # the client was faster
                oldest.shutdown(socket.SHUT_RDWR)  # wakes its thread
        return self._free.acquire(timeout=_REPLACE_SECS)

    def _serve(self, stream: socket.socket, duplicate: socket.socket) -> None:
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # On this thread: a client that does not shake hands must not hold up the others.
            with stream if self._tls is None else encrypt(stream, self._tls) as served:
                Connection(served, self._routes, lambda: self._keep(duplicate)).serve()
        except OSError:
            stream.close()  # before the first request; nothing to answer
        except Exception:  # noqa: BLE001 - the entry point of this thread
            _LOG.exception("connection failed")
        finally:
            self._end(duplicate)

    def _keep(self, duplicate: socket.socket) -> None:
        """Never replace this connection: its client has authenticated."""
        with self._lock:
            self._unauthenticated.pop(duplicate, None)
            duplicate.close()

    def _end(self, duplicate: socket.socket) -> None:
        self._keep(duplicate)
        self._free.release()
