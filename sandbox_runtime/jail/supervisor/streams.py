"""Bounded capture of a guest's output: what is read is counted here, in the parent, never in the guest."""

import os
import select
import time
from collections.abc import Iterable

_READ_BYTES = 1 << 16
# A run may write one byte at a time, and each read costs the supervisor about 50 us. So reads are counted: these many
# are free, then each 4 KiB of output earns one more, and after a read that is not earned the pipe rests. No program
# with ordinary output is ever paused: a full pipe gives 64 KiB a read.
_FREE_READS = 64
_BYTES_A_READ = 4096
_PAUSE_NS = 10_000_000


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
        self.reads = 0

    @property
    def has_read_too_often(self) -> bool:
        """Whether the reads so far were many for the bytes that they gave."""
        return self.reads > _FREE_READS + len(self._data) // _BYTES_A_READ

    def forbid_opening(self) -> None:
        """Nobody may open the pipe by its name in /proc: a compiler that includes its own output waits for itself."""
        os.fchmod(self.fd, 0)

    def read(self) -> None:
        """Take what is there, one chunk. Closes at end of file, or when there is more than the limit."""
        self.reads += 1
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


class PacedReading:
    """Reads captures when `poller` says that they have output, each at most 100 times a second beyond what it earned.

    The bound holds for any pattern of writes. The pause delays no result: the end of a run ends it.
    """

    def __init__(self, poller: select.poll, captures: Iterable[Capture]) -> None:
        self._poller = poller
        self._polled = {capture.fd: capture for capture in captures}
        self._resting: list[tuple[int, Capture]] = []  # when the pause ends, the next one first
        for fd in self._polled:
            poller.register(fd, select.POLLIN)

    def read(self, fd: int) -> None:
        """Read what poll has found. Other descriptors than those of the captures are ignored."""
        capture = self._polled.pop(fd, None)
        if capture is None:
            return
        # Forget before reading: a closed descriptor's number may be taken by another thread at once.
        self._poller.unregister(fd)
        capture.read()
        if capture.open and capture.has_read_too_often:
            self._resting.append((time.monotonic_ns() + _PAUSE_NS, capture))
        elif capture.open:
            self._poll(capture)

    def resume(self) -> None:
        """Poll those again whose pause is over."""
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
