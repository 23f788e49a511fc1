"""Wake-ups of long polls across processes: one datagram socket for each poll that waits."""

from __future__ import annotations

import itertools
import os
import select
import socket
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from infra.embedded.socket_folder import SocketFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_numbers = itertools.count()

type Wait = Callable[[float], None]
"""Returns on a wake-up, or after so many milliseconds."""


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
                address = self._directory.address(name)
                try:
                    sender.sendto(b"!", address)
                except ConnectionRefusedError:
                    Path(address).unlink(missing_ok=True)
                except (FileNotFoundError, BlockingIOError):
                    continue  # it ended, or has a wake-up that it has not read yet

    @contextmanager
    def waiter(self, channel: int | str) -> Iterator[Wait]:
        """Lend a function that waits. Look again after entering: from then on no change is missed."""
        address = self._directory.address(f"{channel}.{os.getpid()}.{next(_numbers)}")
        Path(address).unlink(missing_ok=True)  # of a process that had this pid and was killed
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as own:
            own.bind(address)
            try:
                yield partial(_wait, own)
            finally:
                Path(address).unlink(missing_ok=True)

    def close(self) -> None:
        """End all use."""
        self._directory.close()


def _wait(own: socket.socket, timeout_ms: float) -> None:
    poller = select.poll()
    poller.register(own, select.POLLIN)
    if poller.poll(timeout_ms):
        with suppress(BlockingIOError):
            while True:
                own.recv(1)
