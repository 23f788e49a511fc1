"""Messages between the supervisor and its template process: JSON over a SEQPACKET socket, descriptors beside it.

Both ends are our own code. The guest never holds this socket.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass
from typing import Any

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import FilterFamily, Limits

_MESSAGE_BYTES = 1 << 18
_REPORT_BYTES = 1 << 16
_MAX_FDS = 16


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the template needs to start a run; the descriptors travel in the order of `RunDescriptors`."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, int, bool], ...]  # name, size in the files descriptor, executable
    limits: Limits
    artifact: str | None
    artifact_max_bytes: int
    family: FilterFamily
    init_entries: int  # how many descriptors, behind those of RunDescriptors, init writes to to enter its groups
    program_entries: int  # the same for the program, behind init's

    def serialise(self) -> bytes:
        """JSON bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, data: bytes) -> "RunRequest":
        """The reverse of `serialise`."""
        fields: dict[str, Any] = json.loads(data)
        return cls(
            argv=tuple(fields["argv"]),
            environment=tuple((name, value) for name, value in fields["environment"]),
            files=tuple((name, size, executable) for name, size, executable in fields["files"]),
            limits=Limits(**fields["limits"]),
            artifact=fields["artifact"],
            artifact_max_bytes=fields["artifact_max_bytes"],
            family=FilterFamily(fields["family"]),
            init_entries=fields["init_entries"],
            program_entries=fields["program_entries"],
        )


@dataclass(frozen=True, slots=True)
class RunDescriptors:
    """Open descriptors of one run and of its groups. `files` holds the contents of all files, one behind the other."""

    stdin: int
    stdout: int
    stderr: int
    status: int
    files: int
    artifact: int
    init_entries: tuple[int, ...] = ()
    program_entries: tuple[int, ...] = ()

    @classmethod
    def received(cls, request: RunRequest, fds: list[int]) -> "RunDescriptors":
        """Name the descriptors that came with a request."""
        (stdin, stdout, stderr, status, files, artifact), entries = fds[:6], tuple(fds[6:])
        if len(entries) != request.init_entries + request.program_entries:
            raise JailError("receive descriptors", hint="some are missing")
        init_entries, program_entries = entries[: request.init_entries], entries[request.init_entries :]
        return cls(stdin, stdout, stderr, status, files, artifact, init_entries, program_entries)

    def as_list(self) -> list[int]:
        """In wire order."""
        return [self.stdin, self.stdout, self.stderr, self.status, self.files, self.artifact]

    def close(self) -> None:
        """Close all that `as_list` and the entries hold."""
        for fd in (*self.as_list(), *self.init_entries, *self.program_entries):
            os.close(fd)


def send(channel: socket.socket, message: bytes, fds: list[int]) -> None:
    """One message. Raises JailError when the other end is gone."""
    try:
        socket.send_fds(channel, [message], fds)
    except OSError as error:
        raise JailError("send to template", errno=error.errno or 0) from error


def receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """One message and its descriptors, which are close-on-exec; (b"", []) at end of file."""
    try:
        message, fds, flags, _ = socket.recv_fds(channel, _MESSAGE_BYTES, _MAX_FDS, socket.MSG_CMSG_CLOEXEC)
    except OSError as error:
        raise JailError("receive from template", errno=error.errno or 0) from error
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for fd in fds:
            os.close(fd)
        raise JailError("receive from template", hint="message too large")
    return message, fds


def report(status_fd: int, /, **fields: object) -> None:
    """One line on the status socket: from init, or from the program's process before it becomes the guest."""
    os.write(status_fd, json.dumps(fields).encode() + b"\n")


def report_descriptors(status_fd: int, kind: str, fds: list[int]) -> None:
    """One line with descriptors beside it."""
    with socket.socket(fileno=os.dup(status_fd)) as status:
        socket.send_fds(status, [json.dumps({"kind": kind}).encode() + b"\n"], fds)


def receive_reports(status: socket.socket) -> tuple[bytes, list[int]]:
    """Bytes of whole or broken lines, and descriptors; (b"", []) at end of file, or when nothing is there."""
    try:
        data, fds, _, _ = socket.recv_fds(
            status, _REPORT_BYTES, _MAX_FDS, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
        )
    except BlockingIOError:
        return b"", []
    return data, fds
