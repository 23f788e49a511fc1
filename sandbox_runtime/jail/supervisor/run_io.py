"""The input files and output pipes of one run. The guest gets one side, the supervisor keeps the other.

Input is in sealed memory files: a guest can neither swap a path nor change the content, and nobody has to feed a pipe.
A pre-warmed run gets the files empty, and waits until the supervisor has filled and sealed them.
"""

import fcntl
import os
import select
import time
from collections.abc import Callable, Iterable

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol import Streams
from sandbox_runtime.jail.spec import FilterFamily, GuestPipes, JailSpec

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
        if self.open:
            self.open = False
            os.close(self.fd)

    def take(self) -> bytes:
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


_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def _open_file(name: str) -> tuple[int, int]:
    """Open a writable and a read-only descriptor of an empty memory file, memfd_create(2)."""
    writable = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        return writable, os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        os.close(writable)
        raise


def _fill(writable: int, parts: Iterable[bytes]) -> None:
    """Write and seal a memory file. After that no descriptor can change it."""
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(writable, view) :]
    fcntl.fcntl(writable, fcntl.F_ADD_SEALS, _SEALS)


def sealed_file(name: str, content: bytes) -> int:
    """Make a sealed memory file. Returns a read-only descriptor."""
    writable, readable = _open_file(name)
    try:
        _fill(writable, [content])
    except OSError:
        os.close(readable)
        raise
    finally:
        os.close(writable)
    return readable


class RunIO:
    """Owns the descriptors. Raises JailError when one cannot be made."""

    def __init__(self, owner: int, pipes: GuestPipes | None = None) -> None:
        """`owner`: user and group id that the pipes are given to.

        `pipes`: the guest's input and output; nothing is captured from them.
        """
        self._kept: list[int] = []
        self._given: list[int] = []
        self._opened: list[Capture] = []
        self.owner, self._pipes = owner, pipes
        try:
            self._stdin, stdin = self._open_input("stdin")
            self._files, files = self._open_input("files")
            stdout = self._open_capture()
            stderr = self._open_capture()
            stdin, stdout_fd = (stdin, stdout[1]) if pipes is None else self._give_pipes(pipes)
        except OSError as error:
            self.close()
            raise JailError("open descriptors", errno=error.errno or 0) from error
        self.captures = (stdout[0], stderr[0])
        self.streams = Streams(stdin, stdout_fd, stderr[1], files)

    def fill(self, spec: JailSpec) -> None:
        """Write the input and the files, and set the output limit. Call it once, before guest code runs.

        Raises JailError.
        """
        for capture in self.captures:
            capture.limit_bytes = spec.limits.output_bytes
        try:
            if spec.family is FilterFamily.COMPILE:
                for capture in self.captures:
                    capture.forbid_opening()
            _fill(self._stdin, [spec.stdin])
            inputs = [file.content for file in spec.inputs if file.content is not None]
            _fill(self._files, [*(file.content for file in spec.files), *inputs])
        except OSError as error:
            raise JailError("fill descriptors", errno=error.errno or 0) from error

    def _open_input(self, name: str) -> tuple[int, int]:
        writable, readable = _open_file(name)
        self._kept.append(writable)
        return writable, self._give(readable)

    def _give(self, fd: int) -> int:
        self._given.append(fd)
        return fd

    def _give_pipes(self, pipes: GuestPipes) -> tuple[int, int]:
        for fd in (pipes.stdin_fd, pipes.stdout_fd):
            os.fchown(fd, self.owner, self.owner)
        return pipes.stdin_fd, pipes.stdout_fd

    def _open_capture(self) -> tuple[Capture, int]:
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        self._give(write_end)
        capture = Capture(read_end)
        self._opened.append(capture)
        os.fchown(write_end, self.owner, self.owner)  # a program may open /dev/stdout by its name
        return capture, write_end

    def close_guest_side(self) -> None:
        """Close our copies of the guest's descriptors. After that, end of file on a pipe means that no guest lives.

        Call it when the run has its copies.
        """
        while self._given:
            os.close(self._given.pop())
        if self._pipes is not None:
            self._pipes.close()

    def close(self) -> None:
        self.close_guest_side()
        for capture in self._opened:
            capture.close()
        while self._kept:
            os.close(self._kept.pop())
