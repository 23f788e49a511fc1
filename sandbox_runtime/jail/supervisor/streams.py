"""Capture a guest's output up to a limit. The supervisor counts the bytes, not the guest."""

import os
import select
import time
from collections.abc import Callable, Iterable

_READ_BYTES = 1 << 16
# A guest may write one byte at a time, and each read costs the supervisor about 50 us. So we limit the reads: the first
# 64 are free, and each 4 KiB of output allows one more. After a read above that we pause for 10 ms. Ordinary output is
# never paused: a full pipe gives 64 KiB a read.
_FREE_READS = 64
_BYTES_A_READ = 4096
_PAUSE_NS = 10_000_000


class Capture:
    """One output pipe. At the limit the read end is closed, so that the guest gets SIGPIPE or EPIPE.

    `limit_bytes`: set it before the guest can write; until then it is 0. `on_read`: called after each read.
    """

    def __init__(self, read_fd: int, limit_bytes: int = 0) -> None:
        os.set_blocking(read_fd, False)
        self.fd = read_fd
        self.cut = False
        self.open = True
        self.limit_bytes = limit_bytes
        self._data = bytearray()
        self.reads = 0
        self.on_read: Callable[[], None] | None = None

    @property
    def has_read_too_often(self) -> bool:
        """Whether there were more reads than the captured bytes allow."""
        return self.reads > _FREE_READS + len(self._data) // _BYTES_A_READ

    def forbid_opening(self) -> None:
        """Forbid to open the pipe through /proc. Otherwise a compiler that includes its own output would hang."""
        os.fchown(self.fd, os.geteuid(), -1)  # only the owner may set the mode: no container has CAP_FOWNER
        os.fchmod(self.fd, 0)

    def read(self) -> None:
        """Read one chunk. Closes at end of file and above the limit."""
        self.reads += 1
        try:
            chunk = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        self._data += chunk
        # Exactly the limit is allowed: only one byte more cuts the output.
        if len(self._data) > self.limit_bytes:
            del self._data[self.limit_bytes :]
            self.cut = True
            self.close()
        elif not chunk:
            self.close()
        if self.on_read is not None:
            self.on_read()

    def drain(self) -> None:
        """Read up to end of file. Call only when no writer is left."""
        while self.open:
            before = len(self._data)
            self.read()
            if self.open and len(self._data) == before:
                return  # a writer is still alive: the caller reports the run as not cleaned up

    def close(self) -> None:
        """Close the read end, once."""
        if self.open:
            self.open = False
            os.close(self.fd)

    def take(self) -> bytes:
        """Return the captured bytes."""
        return bytes(self._data)

    def part(self, start: int, most: int) -> bytes:
        """Return at most `most` captured bytes from an offset. Any thread may call it while the run goes on."""
        return bytes(self._data[start : min(start + most, self.limit_bytes)])  # a read may just be above the limit


class PacedReading:
    """Read captures when `poller` reports output; pause a capture for 10 ms after a read above its allowance.

    The limit holds for any pattern of writes. A pause delays no result, because it ends with the run.
    """

    def __init__(self, poller: select.poll, captures: Iterable[Capture]) -> None:
        self._poller = poller
        self._polled = {capture.fd: capture for capture in captures}
        self._resting: list[tuple[int, Capture]] = []  # (end of the pause in ns, capture), in order
        for fd in self._polled:
            poller.register(fd, select.POLLIN)

    def read(self, fd: int) -> None:
        """Read the capture of a descriptor that poll reported. Ignores other descriptors."""
        capture = self._polled.pop(fd, None)
        if capture is None:
            return
        # Unregister before reading: `read` may close the descriptor, and another thread may reuse its number at once.
        self._poller.unregister(fd)
        capture.read()
        if capture.open and capture.has_read_too_often:
            self._resting.append((time.monotonic_ns() + _PAUSE_NS, capture))
        elif capture.open:
            self._poll(capture)

    def resume(self) -> None:
        """Poll the captures again whose pause is over."""
        while self._resting and self._resting[0][0] <= time.monotonic_ns():
            self._poll(self._resting.pop(0)[1])

    def timeout_ms(self, longest_ms: int) -> int:
        """How long poll may wait, so that `resume` is called in time."""
        if not self._resting:
            return longest_ms
        return min(longest_ms, max(0, self._resting[0][0] - time.monotonic_ns()) // 1_000_000 + 1)

    def _poll(self, capture: Capture) -> None:
        self._polled[capture.fd] = capture
        self._poller.register(capture.fd, select.POLLIN)
