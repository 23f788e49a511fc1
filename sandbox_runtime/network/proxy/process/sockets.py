"""How the proxy closes a connection, and how much memory of the kernel it may have."""

import contextlib
import socket
import struct
from typing import Final

BUFFER_BYTES: Final = 128 << 10
"""Of each direction of a socket. Setting it ends the kernel's own growth, up to 6 MB. The kernel doubles the number."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def bound_buffers(unbounded: socket.socket) -> None:
    """Bound the kernel's memory for this socket, and for those that a listener accepts from now on."""
    unbounded.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    unbounded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)


def reset(connected: socket.socket) -> None:
    """Close a connection so that the other end gets an error: socket(7), SO_LINGER with a time of 0."""
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connected.close()
