"""The descriptors of one run: made by the supervisor, one side given to the template, the other kept.

Input travels in sealed memory files: there is no path that a guest could swap, no pipe to feed while it runs, and
the guest cannot change what it was given.
"""

import fcntl
import os
from types import TracebackType
from typing import Self

from sandbox_runtime.jail.cgroup import SlotGroups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.jail.streams import Capture
from sandbox_runtime.jail.wire import RunDescriptors, RunRequest

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def _sealed_file(name: str, content: bytes) -> int:
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


def _request(spec: JailSpec, groups: SlotGroups) -> RunRequest:
    for file in spec.files:
        if not file.name or "/" in file.name or file.name in {".", ".."} or "\0" in file.name:
            raise JailError("place file", repr(file.name), hint="a file name has no slash")
    return RunRequest(
        argv=spec.argv,
        environment=spec.environment,
        files=tuple((file.name, len(file.content), file.executable) for file in spec.files),
        limits=spec.limits,
        artifact=spec.artifact,
        artifact_max_bytes=spec.artifact_max_bytes,
        init_entries=len(groups.init_entry_fds),
        program_entries=len(groups.program_entry_fds),
    )


class Handover:
    """Context manager; closes whatever is still open."""

    def __init__(self, spec: JailSpec, groups: SlotGroups) -> None:
        self.request = _request(spec, groups)
        stdin = _sealed_file("stdin", spec.stdin)
        files = _sealed_file("files", b"".join(file.content for file in spec.files))
        stdout_read, stdout_write = os.pipe2(os.O_CLOEXEC)
        stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC)
        self.status_fd, status_write = os.pipe2(os.O_CLOEXEC)
        self._artifact_fd = os.memfd_create("artifact", os.MFD_CLOEXEC)
        self.captures = (
            Capture(stdout_read, spec.limits.output_bytes),
            Capture(stderr_read, spec.limits.output_bytes),
        )
        self.guest_side = RunDescriptors(
            stdin, stdout_write, stderr_write, status_write, files, os.dup(self._artifact_fd)
        )
        self._guest_side_open = True
        # The groups keep their own descriptors open; these are not ours to close.
        self.passed_fds = [*self.guest_side.as_list(), *groups.init_entry_fds, *groups.program_entry_fds]

    def close_guest_side(self) -> None:
        """After the template has its copies: end of file on a pipe must mean that no guest is left."""
        if self._guest_side_open:
            self._guest_side_open = False
            self.guest_side.close()

    def artifact(self, max_bytes: int) -> bytes:
        """What init copied out, at most `max_bytes`."""
        os.lseek(self._artifact_fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._artifact_fd), "rb") as stream:
            return stream.read(max_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_guest_side()
        for capture in self.captures:
            capture.close()
        os.close(self.status_fd)
        os.close(self._artifact_fd)
