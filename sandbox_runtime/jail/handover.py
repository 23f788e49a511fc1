"""The streams and files of one run: made by the supervisor, one side given to the guest, the other kept.

Input travels in sealed memory files: there is no path that a guest could swap, no pipe to feed while it runs, and
the guest cannot change what it was given.
"""

import fcntl
import os
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.jail.streams import Capture
from sandbox_runtime.jail.wire import FilesTable, Streams

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def sealed_file(name: str, content: bytes) -> int:
    """A read-only descriptor of a sealed memory file, memfd_create(2)."""
    writable = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(writable, view) :]
        fcntl.fcntl(writable, fcntl.F_ADD_SEALS, _SEALS)
        return os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writable)


def _table(spec: JailSpec) -> FilesTable:
    for file in spec.files:
        if not file.name or "/" in file.name or file.name in {".", ".."} or "\0" in file.name:
            raise JailError("place file", repr(file.name), hint="a file name has no slash")
    return tuple((file.name, len(file.content), file.executable) for file in spec.files)


class Handover:
    """Context manager; closes whatever is still open. Raises JailError when a descriptor cannot be made."""

    def __init__(self, spec: JailSpec, owner: int | None) -> None:
        """`owner`: user and group id that the output pipes are given to; None leaves them the supervisor's."""
        self.files = _table(spec)
        self._kept, self._given, self._owner = ExitStack(), ExitStack(), owner
        try:
            stdin = self._give(sealed_file("stdin", spec.stdin))
            files = self._give(sealed_file("files", b"".join(file.content for file in spec.files)))
            stdout = self._open_capture(spec.limits.output_bytes)
            stderr = self._open_capture(spec.limits.output_bytes)
            self._artifact_fd = os.memfd_create("artifact", os.MFD_CLOEXEC)
            self._kept.callback(os.close, self._artifact_fd)
            artifact = self._give(os.dup(self._artifact_fd))
        except OSError as error:
            self._close()
            raise JailError("open descriptors", errno=error.errno or 0) from error
        self.captures = (stdout[0], stderr[0])
        self.streams = Streams(stdin, stdout[1], stderr[1], files, artifact)

    def _give(self, fd: int) -> int:
        self._given.callback(os.close, fd)
        return fd

    def _open_capture(self, limit_bytes: int) -> tuple[Capture, int]:
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        self._give(write_end)
        if self._owner is not None:
            os.fchown(write_end, self._owner, self._owner)  # a program may open /dev/stdout by its name
        capture = Capture(read_end, limit_bytes)
        self._kept.callback(capture.close)
        return capture, write_end

    def close_guest_side(self) -> None:
        """After the run has its copies: end of file on a pipe must mean that no guest is left."""
        self._given.close()

    def artifact(self, max_bytes: int) -> bytes:
        """What init copied out, at most `max_bytes`."""
        os.lseek(self._artifact_fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._artifact_fd), "rb") as stream:
            return stream.read(max_bytes)

    def _close(self) -> None:
        self._given.close()
        self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
