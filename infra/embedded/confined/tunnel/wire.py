"""Frames on a TLS connection: a message of the engine's socket, and the content of its file if it has one.

A frame begins with two numbers: the bytes of the message, and those of the file plus one; 0 without a file.
Each frame must come at a rate, so that a slow peer keeps nothing for ever.
"""

from __future__ import annotations

import os
import struct
import tempfile
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from infra.embedded.confined import protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

MOST_FILE_BYTES: Final = 128 * 1024 * 1024
_HEADER: Final = struct.Struct("!IQ")
_PIECE_BYTES: Final = 64 * 1024
_STALL_SECS: Final = 20.0
_RATE_BYTES: Final = 16 * 1024
"""The slowest frame, in bytes a second: the largest message takes 26 minutes then, a usual one milliseconds."""

type Lend = Callable[[int], AbstractContextManager[None]]
"""Lends so many bytes of memory. Raises TimeoutError."""


class Wire:
    """One connection, used by one thread. `on_bytes` is called whenever the peer sent or took some.

    `spool`: folder of received files. `lend`, `lend_file`: bound messages and files under way.
    All errors of connections are OSError or EOFError; ValueError for a frame that is no message.
    """

    def __init__(
        self,
        stream: ssl.SSLSocket,
        spool: str,
        *,
        on_bytes: Callable[[], None] = lambda: None,
    ) -> None:
        self._stream = stream
        self._spool = spool
        self.on_bytes = on_bytes

    def send(self, message: dict[str, Any], file: BinaryIO | None = None) -> None:
        """Send a message, and the rest of an open file."""
        content = protocol.encode(message)
        size = None if file is None else os.fstat(file.fileno()).st_size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
        deadline = self._deadline(len(content) + (size or 0))
        self._send(_HEADER.pack(len(content), 0 if size is None else max(0, size) + 1) + content, deadline)
        while size is not None and size > 0 and file is not None:
            piece = os.read(file.fileno(), min(size, _PIECE_BYTES))
            if not piece:
                raise OSError("a file became shorter while it was sent")
            self._send(piece, deadline)
            size -= len(piece)

    @contextmanager
    def receive(
        self,
        most_bytes: int,
        *,
        wait_secs: float | None = None,
        within_secs: float | None = None,
        lend: Lend | None = None,
        lend_file: Lend | None = None,
    ) -> Iterator[tuple[dict[str, Any], BinaryIO | None]]:
        """Yield a message and its file, which is closed behind the block.

        `wait_secs`: until its first byte. `within_secs`: for all of it; None: as long as its rate is enough.
        `lend_file` None: no file may come.
        """
        started = monotonic()
        head = bytearray(_HEADER.size)
        self._stream.settimeout(within_secs if within_secs is not None else wait_secs)
        if not self._stream.recv_into(memoryview(head)[:1]):
            raise EOFError
        self.on_bytes()
        hard = None if within_secs is None else started + within_secs
        self._fill(memoryview(head)[1:], hard or self._deadline(_HEADER.size))
        size, more = _HEADER.unpack(head)
        if size > most_bytes or (more and lend_file is None) or more > MOST_FILE_BYTES + 1:
            raise OSError("a frame is too large")
        deadline = hard or self._deadline(size + more)
        with ExitStack() as stack:
            if lend is not None and size > _PIECE_BYTES:
                stack.enter_context(lend(size))
            content = bytearray(size)
            self._fill(memoryview(content), deadline)
            file: BinaryIO | None = None
            if more and lend_file is not None:
                stack.enter_context(lend_file(more - 1))
                file = stack.enter_context(tempfile.TemporaryFile(dir=self._spool, buffering=0))
                self._spool_file(file, more - 1, deadline)
            yield protocol.decode(bytes(content)), file

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _spool_file(self, file: BinaryIO, size: int, deadline: float) -> None:
        piece = memoryview(bytearray(_PIECE_BYTES))
        while size:
            part = piece[: min(size, _PIECE_BYTES)]
            self._fill(part, deadline)
            file.write(part)
            size -= len(part)
        file.seek(0)

    def _deadline(self, size: int) -> float:
        return monotonic() + _STALL_SECS + size / _RATE_BYTES

    def _fill(self, view: memoryview, deadline: float) -> None:
        while view:
            self._stream.settimeout(_left_secs(deadline))
            count = self._stream.recv_into(view[:_PIECE_BYTES])
            if not count:
                raise EOFError
            self.on_bytes()
            view = view[count:]

    def _send(self, content: bytes, deadline: float) -> None:
        view = memoryview(content)
        while view:
            self._stream.settimeout(_left_secs(deadline))
            view = view[self._stream.send(view[:_PIECE_BYTES]) :]
            self.on_bytes()


def _left_secs(deadline: float) -> float:
    left = min(_STALL_SECS, deadline - monotonic())
    if left <= 0:
        raise TimeoutError("the peer is too slow")
    return left
