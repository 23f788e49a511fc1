"""The sockets of a run: those that wait for an event, and how they are made and closed."""

import contextlib
import select
import socket
import struct
from collections.abc import Callable
from typing import Final

# The sockets of one run that wait for an event.

type Handler = Callable[[], object]

READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Poll:
    """Owns an epoll descriptor, which is readable itself while one of its sockets has an event.

    So the loop of the process waits for runs, and takes one event of each in turn. The kernel returns the sockets of
    one run in turn, too: epoll(7), "starvation".
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[int, Handler]] = {}

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch(self, watched: socket.socket, events: int, handler: Handler) -> None:
        """Call `handler` at these events, and at errors. Replaces what was said before; without events, forget."""
        fd = watched.fileno()
        before = self._watched.get(fd)
        if not events:
            self.forget(watched)
        elif before is None:
            self._epoll.register(fd, events)
            self._watched[fd] = events, handler
        elif before != (events, handler):
            if before[0] != events:
                self._epoll.modify(fd, events)
            self._watched[fd] = events, handler

    def forget(self, watched: socket.socket) -> None:
        """Stop waiting for a socket, before it is closed."""
        if self._watched.pop(watched.fileno(), None) is not None:
            self._epoll.unregister(watched.fileno())

    def step(self) -> bool:
        """Handle one event. False: there was none."""
        for fd, _ in self._epoll.poll(0, 1):
            self._watched[fd][1]()
            return True
        return False

    def close(self) -> None:
        """Close the descriptor. The sockets belong to others."""
        self._epoll.close()
        self._watched.clear()


# How the proxy closes a connection, and how much memory of the kernel it may have.

BUFFER_BYTES: Final = 128 << 10
"""Of each direction of a socket. Setting it ends the kernel's own growth, up to 6 MB. The kernel doubles the number."""

_LINGER: Final = struct.Struct("ii")


def bound_buffers(unbounded: socket.socket) -> None:
    """Bound the kernel's memory for this socket, and for those that a listener accepts from now on."""
    unbounded.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    unbounded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)


def reset_on_close(opened: socket.socket) -> None:
    """From now on every close is a reset, the kernel's too after the death of this process: socket(7), SO_LINGER.

    Sockets that a listener accepts inherit it.
    """
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(1, 0))


def reset(connected: socket.socket) -> None:
    """Close a connection so that the other end gets an error."""
    with contextlib.suppress(OSError):
        reset_on_close(connected)
    connected.close()


def close_in_order(connected: socket.socket) -> None:
    """Close a connection so that the other end gets all bytes, those in the kernel's buffer too, and the end."""
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(0, 0))
    connected.close()
