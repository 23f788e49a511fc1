"""Messages between the supervisor, its template process and a run: JSON on SEQPACKET sockets, descriptors beside it.

The template is only told to start a run, and never reads anything of one: its memory is inherited by the guests of
every tenant. The run's own process reads the request, from the run's status socket; reports come back on the same one.
All ends are our own code. No guest holds any of these sockets.

What goes from the supervisor into a run is marshalled instead, and read before there is a guest: that is far cheaper
in a process that has just been forked. It must never be read the other way, for it trusts its writer with everything.
"""

import contextlib
import json
import marshal
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import GuestFile, Limits

START_RUN, START_COLLECTING_RUN = b"run", b"run, collect"  # init copies out what the second one leaves
_MESSAGE_BYTES = GO_BYTES = 1 << 16
_MAX_FDS = 16
STATUS_AT, _OWN_FDS = 0, 6  # the status socket and the streams
INIT_ENTRY_AT = _OWN_FDS  # the first of what init enters
_FD = struct.Struct("i")
# As numbers: operators of flag enums cost more than the system call.
DONT_WAIT = int(socket.MSG_DONTWAIT)
_CLOSE_ON_EXEC, _CUT = int(socket.MSG_CMSG_CLOEXEC), int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_RIGHTS = (int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS))

FilesTable = tuple[tuple[str, int, bool], ...]
"""(name, size in the files descriptor, executable) of each."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What init and program need to know of a run.

    `is_staged`: the program gets everything ready, then waits for the table of its files, which are filled by then.
    `is_fed`: it is started at once, and waits itself (`spec.WaitingCommand`).
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    files: FilesTable
    artifact: str | None
    artifact_max_bytes: int
    init_entries: int  # how many descriptors, behind the run's own, init writes to to enter its groups
    program_entries: int  # the same for the program, behind init's
    is_staged: bool
    is_fed: bool
    family: str
    limits: Limits

    def serialise(self) -> bytes:
        """For `parse`, in a process of ours."""
        return marshal.dumps((*(getattr(self, name) for name in _PLAIN), str(self.family), astuple(self.limits)))

    @classmethod
    def parse(cls, data: bytes) -> "RunRequest":
        """The reverse of `serialise`: only of what that has written. Raises ValueError, TypeError or EOFError."""
        found: tuple[Any, ...] = marshal.loads(data)  # noqa: S302 - our own bytes, see above
        values = [*found[:-1], Limits(*found[-1])]
        return cls(*values)


_PLAIN = tuple(field.name for field in fields(RunRequest) if field.name not in {"family", "limits"})


def files_table(files: Sequence[GuestFile]) -> FilesTable:
    """The table of files as init or the program needs it. Raises JailError for a name that is a path."""
    for file in files:
        if not file.name or "/" in file.name or file.name in {".", ".."} or "\0" in file.name:
            raise JailError("place file", repr(file.name), hint="a file name has no slash")
    return tuple((file.name, len(file.content), file.executable) for file in files)


@dataclass(frozen=True, slots=True)
class Streams:
    """What a run is fed with and where its output goes. `files` holds all files, one behind the other."""

    stdin: int
    stdout: int
    stderr: int
    files: int
    artifact: int

    def as_list(self) -> list[int]:
        """In wire order."""
        return [self.stdin, self.stdout, self.stderr, self.files, self.artifact]


@dataclass(frozen=True, slots=True)
class RunDescriptors:
    """Open descriptors of one run and of its groups. `feed`: the waiting command's socket, in a list of at most one."""

    status: int
    streams: Streams
    init_entries: tuple[int, ...] = ()
    program_entries: tuple[int, ...] = ()
    feed: tuple[int, ...] = ()

    @classmethod
    def received(cls, request: RunRequest, fds: list[int]) -> "RunDescriptors":
        """Name the descriptors that came with the word to start. Raises JailError when some are missing."""
        entries_end = _OWN_FDS + request.init_entries + request.program_entries
        if len(fds) != entries_end + request.is_fed:
            raise JailError("receive descriptors", hint="some are missing")
        (status, *streams), entries = fds[:_OWN_FDS], fds[_OWN_FDS:entries_end]
        init_entries, program_entries = entries[: request.init_entries], entries[request.init_entries :]
        return cls(status, Streams(*streams), tuple(init_entries), tuple(program_entries), tuple(fds[entries_end:]))


def send(channel: socket.socket, message: bytes, fds: Sequence[int] = ()) -> None:
    """One message. Raises JailError when the other end is gone."""
    try:
        channel.sendmsg([message], [(*_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else ())
    except OSError as error:
        raise JailError("send message", errno=error.errno or 0) from error


def receive(channel: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """One message and its descriptors, which are close-on-exec; (b"", []) at end of file.

    An end that was closed before it had read everything is an end too.
    Raises JailError, and BlockingIOError with DONT_WAIT when nothing is there. Not `socket.recv_fds`, which forgets
    the flags that it is given.
    """
    room = socket.CMSG_SPACE(_MAX_FDS * _FD.size)
    try:
        message, ancillary, found, _ = channel.recvmsg(_MESSAGE_BYTES, room, _CLOSE_ON_EXEC | flags)
    except BlockingIOError:
        raise
    except ConnectionResetError:
        return b"", []
    except OSError as error:
        raise JailError("receive message", errno=error.errno or 0) from error
    fds = [
        fd
        for level, kind, data in ancillary
        if (level, kind) == _RIGHTS
        for (fd,) in _FD.iter_unpack(data[: len(data) - len(data) % _FD.size])
    ]
    if found & _CUT:
        for fd in fds:
            os.close(fd)
        raise JailError("receive message", hint="message too large")
    return message, fds


def read_request(fds: list[int]) -> tuple[RunRequest, RunDescriptors]:
    """What waits in the status socket, the first of the descriptors that came with the word to start."""
    request = RunRequest.parse(os.read(fds[STATUS_AT], _MESSAGE_BYTES))
    return request, RunDescriptors.received(request, fds)


def report(status_fd: int, /, **fields: object) -> None:
    """One message on the status socket: from init, or from the program's process before it becomes the guest."""
    os.write(status_fd, json.dumps(fields).encode())


def report_failure(status_fd: int, error: JailError) -> None:
    """The message that the supervisor raises as this very error."""
    with contextlib.suppress(OSError):  # nobody listens any more
        report(status_fd, kind="failed", **error.facts)


def report_descriptors(status_fd: int, kind: str, fds: list[int]) -> None:
    """One message with descriptors beside it."""
    with socket.socket(fileno=os.dup(status_fd)) as status:
        send(status, json.dumps({"kind": kind}).encode(), fds)
