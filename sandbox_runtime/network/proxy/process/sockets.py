"""How the proxy closes a connection, and how much memory of the kernel it may have."""

import contextlib
import socket
import struct
from typing import Final

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
