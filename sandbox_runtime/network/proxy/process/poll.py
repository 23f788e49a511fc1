"""The sockets of one run that wait for an event."""

import select
import socket
from collections.abc import Callable

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
        """Return the descriptor."""
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
