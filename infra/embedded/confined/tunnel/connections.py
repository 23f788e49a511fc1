"""Connections whose peer has shown no token yet: few, for a short time, and none at the cost of another address."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock
from typing import Final

MOST_UNKNOWN: Final = 64


class UnknownPeers:
    """Duplicates of the sockets of unknown peers, oldest first, with the addresses of their hosts.

    Over MOST_UNKNOWN, a new one replaces the oldest of the host that has most. So a single host replaces its own.
    """

    def __init__(self) -> None:
        self._hosts: dict[socket.socket, str] = {}
        self._lock = Lock()

    def add(self, duplicate: socket.socket, host: str) -> None:
        """Add a new connection."""
        with self._lock:
            if len(self._hosts) >= MOST_UNKNOWN:
                hosts = list(self._hosts.values())
                most = max(set(hosts), key=hosts.count)
                oldest = next(each for each, of_host in self._hosts.items() if of_host == most)
                del self._hosts[oldest]
                end(oldest)
            self._hosts[duplicate] = host

    def remove(self, duplicate: socket.socket) -> None:
        """Remove a connection that ended, or whose peer is known now."""
        with self._lock:
            self._hosts.pop(duplicate, None)


def end(duplicate: socket.socket) -> None:
    """End a connection, whichever thread uses it: that one wakes, and closes it."""
    with suppress(OSError):
        duplicate.shutdown(socket.SHUT_RDWR)
