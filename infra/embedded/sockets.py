"""Unix sockets in a folder, by short addresses: a path to one may have 107 bytes, and a state folder can be longer."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_PAUSE_SECS: Final = 0.1


class SocketFolder:
    """A folder that exists, held open by a descriptor."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let the folder go; addresses are of no use from now on."""
        os.close(self._descriptor)

    def address(self, name: str) -> str:
        """Return the address of a socket of the folder, for this process."""
        return f"/proc/self/fd/{self._descriptor}/{name}"


class FolderListener:
    """Listens at a path, in a folder that exists. Each connection has a thread; over `most`, connections wait."""

    def __init__(self, path: Path, most: int, serve: Callable[[socket.socket], None]) -> None:
        self._path = path
        self._serve = serve
        self._free = threading.Semaphore(most)
        self._stopping = threading.Event()
        path.unlink(missing_ok=True)
        self._folder = SocketFolder(path.parent)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self._folder.address(path.name))
        os.chmod(path, 0o600)  # noqa: PTH101 - like the other calls on the socket
        self._socket.listen(most)

    def start(self) -> None:
        """Accept connections from now on."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def close(self) -> None:
        """Remove the socket, in every process that shares it: only the one that bound it may do so, as the last.

        Connections end with their process or their client.
        """
        self._stopping.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            self._free.acquire()
            try:
                accepted, _ = self._socket.accept()
                try:
                    threading.Thread(target=self._run, args=(accepted,), name="connection", daemon=True).start()
                except RuntimeError:  # no more threads
                    accepted.close()
                    raise
            except (OSError, RuntimeError):  # such as too many open files: they pass
                self._free.release()
                self._stopping.wait(_PAUSE_SECS)

    def _run(self, accepted: socket.socket) -> None:
        try:
            self._serve(accepted)
        finally:
            self._free.release()
