"""Wake-ups of long polls across processes: one datagram socket for each poll that waits."""

from __future__ import annotations

import itertools
import os
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from infra.embedded.socket_folder import SocketFolder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_numbers = itertools.count()


class Waking:
    """A folder of sockets named `<channel>.<pid>.<number>`. A file whose process died is removed by the next sender.

    A channel is the number of a queue, or `stream-` and the number of a table.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = SocketFolder(folder)

    def wake(self, channel: int | str) -> None:
        """Wake all polls of a channel, whichever process they are in. Call it when the change is committed.

        A failure, such as too many open files, is no failure of the change: polls look every second too.
        """
        with suppress(OSError):
            self._wake(channel)

    def _wake(self, channel: int | str) -> None:
        prefix = f"{channel}."
        waiting = [name for name in os.listdir(self._folder) if name.startswith(prefix)]  # noqa: PTH208 - bare names
        if not waiting:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            for name in waiting:
                try:
                    sender.sendto(b"!", self.address(name))
                except ConnectionRefusedError:
                    with suppress(FileNotFoundError):
                        os.unlink(self.address(name))  # noqa: PTH108 - relative to the descriptor
                except (FileNotFoundError, BlockingIOError):
                    continue  # it ended, or has a wake-up that it has not read yet

    def waiter(self, channel: int | str) -> Waiter:
        """Wait in a `with` statement. Look again after entering it: from then on no change is missed."""
        return Waiter(self, f"{channel}.{os.getpid()}.{next(_numbers)}")

    def close(self) -> None:
        """End all use."""
        self._directory.close()

    def address(self, name: str) -> str:
        """Return the address of a socket of the folder."""
        return self._directory.address(name)


class Waiter:
    """One poll that waits."""

    def __init__(self, waking: Waking, name: str) -> None:
        self._address = waking.address(name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def __enter__(self) -> Self:
        with suppress(FileNotFoundError):  # of a process that had this pid and was killed
            os.unlink(self._address)  # noqa: PTH108 - relative to the descriptor
        self._socket.bind(self._address)
        return self

    def wait(self, timeout_ms: float) -> None:
        """Return on a wake-up or after the timeout."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        if poller.poll(timeout_ms):
            with suppress(BlockingIOError):
                while True:
                    self._socket.recv(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        with suppress(FileNotFoundError):
            os.unlink(self._address)  # noqa: PTH108 - relative to the descriptor
