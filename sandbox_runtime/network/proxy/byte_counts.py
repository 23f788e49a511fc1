"""The bytes of one run, in memory that the egress proxy writes: the runner reads them although the process has died.

The runner reads with pread(2), never through a mapping: a hostile process might shorten the memory under it.
"""

import mmap
import os
import struct

_COUNTS = struct.Struct("=QQ")
_MOST = 1 << 53


def new_memory() -> int:
    """Return the descriptor of new memory for the bytes of a run. The caller closes it. Raises OSError."""
    fd = os.memfd_create("rustbox-bytes", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, _COUNTS.size)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_counts(fd: int) -> tuple[int, int]:
    """Return the bytes sent and received so far; 0 if they cannot be read."""
    try:
        sent, received = _COUNTS.unpack(os.pread(fd, _COUNTS.size, 0))
    except (OSError, struct.error):
        return 0, 0
    return min(sent, _MOST), min(received, _MOST)


class ByteCounts:
    """The proxy's side. `fd` may be closed afterwards. Raises OSError."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, _COUNTS.size)

    def write(self, sent: int, received: int) -> None:
        """Replace the counts."""
        _COUNTS.pack_into(self._memory, 0, sent, received)

    def close(self) -> None:
        """Give the memory up."""
        self._memory.close()
