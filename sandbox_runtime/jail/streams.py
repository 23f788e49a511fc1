"""Bounded capture of a guest's output: what is read is counted here, in the parent, never in the guest."""

import os

_READ_BYTES = 1 << 16


class Capture:
    """One output pipe. At the limit the read end is closed, so that the guest gets SIGPIPE or EPIPE.

    `limit_bytes`: set it before anybody writes; until then nothing is let through.
    """

    def __init__(self, read_fd: int, limit_bytes: int = 0) -> None:
        os.set_blocking(read_fd, False)
        self.fd = read_fd
        self.cut = False
        self.open = True
        self.limit_bytes = limit_bytes
        self._data = bytearray()

    def read(self) -> None:
        """Take what is there, one chunk. Closes at end of file, or when there is more than the limit."""
        try:
            chunk = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        self._data += chunk
        # A guest that writes exactly the limit loses nothing: only a byte more makes a cut.
        if len(self._data) > self.limit_bytes:
            del self._data[self.limit_bytes :]
            self.cut = True
            self.close()
        elif not chunk:
            self.close()

    def drain(self) -> None:
        """Read up to end of file. Call only when no writer is left."""
        while self.open:
            before = len(self._data)
            self.read()
            if self.open and len(self._data) == before:
                return  # a writer is left after all: the caller reports the run as unclean

    def close(self) -> None:
        """Close the read end, once."""
        if self.open:
            self.open = False
            os.close(self.fd)

    def take(self) -> bytes:
        """What was captured."""
        return bytes(self._data)
