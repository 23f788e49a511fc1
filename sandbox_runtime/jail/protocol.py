"""Messages between the supervisor, its template process and a run: JSON on SEQPACKET sockets, with descriptors.

The template gets `Terms` once, when it starts, and then only the message to start a run. It never reads a run's data,
because guests of every tenant inherit its memory. The run's own process reads the request from the run's status socket,
and sends its reports there. Only our code reads and writes these sockets. No guest holds one of them.

Messages from the supervisor into a run use `marshal`, which is far cheaper in a freshly forked process. The run reads
them before guest code exists. The supervisor must never unmarshal data of a run: `marshal` trusts its input.
"""

import contextlib
import json
import marshal
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.errors import JailError, TransientJailError
from sandbox_runtime.jail.python_fork import WarmStart
from sandbox_runtime.jail.spec import GuestFile, InputFile, Limits

START_RUN = b"run"
START_NETWORK_RUN = b"run, network"  # the last descriptor is the net namespace of the run
_MESSAGE_BYTES = 1 << 16
# A program may get 64 arguments of 1,024 characters, each of up to four bytes, and 35 variables of 4,096 bytes.
REQUEST_BYTES = 1 << 19
_MAX_FDS = 16
STATUS_AT, _OWN_FDS = 0, 5  # the status socket and four streams
INIT_ENTRY_AT = _OWN_FDS  # the first entry descriptor of init's groups
_FD = struct.Struct("i")
# As numbers: operators of flag enums cost more than the system call.
DONT_WAIT = int(socket.MSG_DONTWAIT)
_CLOSE_ON_EXEC, _CUT = int(socket.MSG_CMSG_CLOEXEC), int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_RIGHTS = (int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS))

FAILURES = (JailError, OSError, ValueError, TypeError, LookupError, EOFError)
"""Errors of the set-up of a run: a refused step, or a message of another revision."""

FilesTable = tuple[tuple[str, int, bool], ...]
"""(name, size in the files descriptor, executable) of each."""
InputsTable = tuple[tuple[str, int, bool, str], ...]
"""(path, size, read-only, SHA-256) of each; without a SHA-256 its bytes follow the files in the files descriptor."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The request of a run, for init and for the program's process.

    `needs_box`: the program sends the supervisor a descriptor of its working directory.
    `is_prewarmed`: the process sets everything up, then waits for the table of its files, and for its variables.
    `is_waiting_command`: the command is started at once and waits itself, see `spec.WaitingCommand`.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    variables: tuple[tuple[str, str], ...]
    files: FilesTable
    inputs: InputsTable
    has_inputs_folder: bool
    needs_box: bool
    init_entries: int  # number of descriptors, after the run's own, through which init enters its groups
    program_entries: int  # the same for the program, after those of init
    is_prewarmed: bool
    is_waiting_command: bool
    family: str
    limits: Limits

    def serialise(self) -> bytes:
        """Serialise for `parse`, which only our own processes may call."""
        return marshal.dumps((*_plain_values(self), str(self.family), _limit_values(self.limits)))

    @classmethod
    def parse(cls, data: bytes) -> "RunRequest":
        """The reverse of `serialise`, for its output only. Raises ValueError, TypeError or EOFError."""
        found: tuple[Any, ...] = marshal.loads(data)  # noqa: S302 - our own bytes, see above
        values = [*found[:-1], Limits(*found[-1])]
        return cls(*values)


_plain_values = attrgetter(*(field.name for field in fields(RunRequest) if field.name not in {"family", "limits"}))
_limit_values = attrgetter(*(field.name for field in fields(Limits)))


def files_table(files: Sequence[GuestFile]) -> FilesTable:
    """Build the table of a run's files. Raises JailError for a name that is a path."""
    for file in files:
        if not file.name or "/" in file.name or file.name in {".", ".."} or "\0" in file.name:
            raise JailError("place file", repr(file.name), hint="a file name has no slash")
    return tuple((file.name, len(file.content), file.executable) for file in files)


def inputs_table(inputs: Sequence[InputFile]) -> InputsTable:
    """Build the table of a request's files. Raises JailError for a path that leaves the working directory."""
    for file in inputs:
        if {"", ".", ".."}.intersection(file.path.split("/")) or "\0" in file.path or "/" in file.sha256:
            raise JailError("place file", ascii(file.path), hint="a path is relative, and has no part . or ..")
    return tuple((file.path, file.size, file.read_only, file.sha256) for file in inputs)


@dataclass(frozen=True, slots=True)
class Streams:
    """Descriptors of a run's input and output. `files` holds all files, one after the other."""

    stdin: int
    stdout: int
    stderr: int
    files: int

    def as_list(self) -> list[int]:
        """In wire order."""
        return [self.stdin, self.stdout, self.stderr, self.files]


@dataclass(frozen=True, slots=True)
class RunDescriptors:
    """Open descriptors of one run and of its groups.

    `command_socket`: empty, or the socket of its waiting command. `inputs_folder`: empty, or the folder with the files
    of the request, a detached mount.
    """

    status: int
    streams: Streams
    init_entries: tuple[int, ...] = ()
    program_entries: tuple[int, ...] = ()
    command_socket: tuple[int, ...] = ()
    inputs_folder: tuple[int, ...] = ()

    @classmethod
    def received(cls, request: RunRequest, fds: list[int]) -> "RunDescriptors":
        """Name the descriptors that came with the start message. Raises JailError when some are missing."""
        entries_end = _OWN_FDS + request.init_entries + request.program_entries
        command_end = entries_end + request.is_waiting_command
        expected = command_end + request.has_inputs_folder
        if len(fds) != expected:
            raise JailError("receive descriptors", hint=f"got {len(fds)}, expected {expected}")
        (status, *streams), entries = fds[:_OWN_FDS], fds[_OWN_FDS:entries_end]
        init_entries, program_entries = entries[: request.init_entries], entries[request.init_entries :]
        return cls(
            status,
            Streams(*streams),
            tuple(init_entries),
            tuple(program_entries),
            tuple(fds[entries_end:command_end]),
            tuple(fds[command_end:]),
        )


def send(channel: socket.socket, message: bytes, fds: Sequence[int] = ()) -> None:
    """Send one message. Raises JailError when the other end is closed."""
    try:
        channel.sendmsg([message], [(*_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else ())
    except OSError as error:
        raise JailError("send message", errno=error.errno or 0) from error


def receive(channel: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """Receive one message and its descriptors, which are close-on-exec. (b"", []) at end of file.

    Raises JailError, and BlockingIOError with DONT_WAIT when there is no message.
    A connection reset (the other end closed with unread data) counts as end of file.
    """
    # Not `socket.recv_fds`, which ignores its flags.
    ancillary_bytes = socket.CMSG_SPACE(_MAX_FDS * _FD.size)
    try:
        message, ancillary, found, _ = channel.recvmsg(_MESSAGE_BYTES, ancillary_bytes, _CLOSE_ON_EXEC | flags)
    except BlockingIOError:
        raise
    except ConnectionResetError:
        return b"", []
    except TimeoutError as error:
        raise TransientJailError("receive message", hint="no answer in time; the host may be overloaded") from error
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
    """Read the request from the status socket, the first descriptor that came with the start message."""
    request = RunRequest.parse(os.read(fds[STATUS_AT], REQUEST_BYTES))
    return request, RunDescriptors.received(request, fds)


def report(status_fd: int, /, **fields: object) -> None:
    """Send a report on the status socket: from init, or from the program's process before it becomes the guest."""
    os.write(status_fd, json.dumps(fields).encode())


def report_failure(status_fd: int, error: Exception, step: str) -> None:
    """Report one of FAILURES, which the supervisor raises as a JailError. `step`: of an error that is none yet."""
    if isinstance(error, OSError):
        error = JailError(step, errno=error.errno or 0)
    elif not isinstance(error, JailError):
        error = JailError(step, type(error).__name__)
    with contextlib.suppress(OSError):  # the supervisor has closed its end
        report(status_fd, kind="failed", **error.facts)


def report_descriptors(status_fd: int, kind: str, fds: list[int]) -> None:
    """Send a report with descriptors."""
    with socket.socket(fileno=os.dup(status_fd)) as status:
        send(status, json.dumps({"kind": kind}).encode(), fds)


# The parameters that a slot's template process gets once, when it starts. They hold for all runs of the slot.


@dataclass(frozen=True, slots=True)
class Terms:
    """Fixed parameters of a slot.

    `uid`: user and group id of the guests as they see it, never 0.
    `runner_uid`: the supervisor's user id, which no guest may share.
    `outer_namespaces`: `pid:[4026531836]` by name, of the supervisor and of the template (which adds its own);
    a guest's namespaces must differ from all of them.
    `outer_filters`: number of system-call filters that the container loaded already; the template adds it.
    `membership_marker`: the end of the path of the slot's groups.
    `shares_cpu`: a group gives the slot its share of the CPUs.
    `required_controls`: the floor; a guest does not start when one of them is not in force.
    `warm`: the command as which the template itself was started.
    `small_init`: directory of the files that `languages.preparation` built; "": init is a fork of the template.
    `cpus`: a guest may use them; () leaves it those of the template.
    `interpreter_device`: device of the host's file system that holds the interpreter's executable.
    """

    control_fd: int
    uid: int
    runner_uid: int
    binds: tuple[BindMount, ...]
    outer_namespaces: tuple[dict[str, str], ...]
    membership_marker: str
    required_controls: tuple[str, ...]
    warm: WarmStart | None = None
    small_init: str = ""
    shares_cpu: bool = False
    outer_filters: int | None = None
    interpreter_device: int | None = None
    cpus: tuple[int, ...] = ()

    def serialise(self) -> str:
        """Python text for `parse`."""
        return repr(self)

    @classmethod
    def parse(cls, text: str) -> "Terms":
        """The reverse of `serialise`. Evaluates the text, so it must be the supervisor's."""
        kinds = {kind.__name__: kind for kind in (Terms, BindMount, WarmStart)}
        terms: Terms = eval(text, kinds)  # noqa: S307 - the supervisor's own text
        return terms
