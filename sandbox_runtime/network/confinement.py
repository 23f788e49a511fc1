"""Processes of ours outside the jail that handle bytes of programs and hosts: their messages and their confinement.

A message is JSON on a SEQPACKET socket, and each request has one answer.
"""

import json
import os
import resource
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.identity import become_guest
from sandbox_runtime.jail.controls.seccomp import Program
from sandbox_runtime.network.model import NetworkError

type Message = dict[str, Any]

MAX_MESSAGE_BYTES: Final = 1 << 17
MAX_FDS: Final = 64


def send(channel: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message. Raises OSError."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if fds:
        socket.send_fds(channel, [data], list(fds))
    else:
        channel.send(data)


def receive_answer(channel: socket.socket, helper: str) -> Message:
    """Receive an answer of a helper. The runner takes no descriptor of it. Raises NetworkError and OSError."""
    data = channel.recv(MAX_MESSAGE_BYTES)
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise NetworkError(f"talk to the {helper}", "it has ended" if not data else "its answer is malformed")
    return answer


# Confine this process for good: its groups, descriptors, root directory, user, capabilities and system calls.

_MAX_OPEN_FILES: Final = 16_384


def confine(uid: int, entry_fds: Sequence[int], program: Program | None) -> int:
    """Give up all rights of root; no file can be opened later. Returns the number of descriptors that it may have.

    `program`: the filter of its system calls; None: it is loaded later. Raises OSError and JailError.
    """
    for fd in entry_fds:
        os.write(fd, b"0")
        os.close(fd)
    _enter_empty_root()
    max_fds = _set_limits()
    syscalls.drop_bounding_set()
    become_guest(uid)
    syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 0)
    if program is not None:
        program.load()
    return max_fds


def _set_limits() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        resource.setrlimit(kind, (0, 0))
    return files


def _enter_empty_root() -> None:
    """Make a directory that is already removed the root: nothing can be made in it."""
    directory = Path(tempfile.mkdtemp())
    os.chdir(directory)
    directory.rmdir()
    os.chroot(".")
