"""The input files and output pipes of one run. The guest gets one side, the supervisor keeps the other.

Input is in sealed memory files: a guest can neither swap a path nor change the content, and nobody has to feed a pipe.
A pre-warmed run gets the files empty, and waits until the supervisor has filled and sealed them.
"""

import fcntl
import os
from collections.abc import Iterable

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol.wire import Streams
from sandbox_runtime.jail.spec import FilterFamily, GuestPipes, JailSpec
from sandbox_runtime.jail.supervisor.streams import Capture

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
        """Close both sides."""
        self.close_guest_side()
        for capture in self._opened:
            capture.close()
        while self._kept:
            os.close(self._kept.pop())
