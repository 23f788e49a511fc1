"""Start of the process."""

import json
import os
import resource
import signal
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import dns.rdata

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.identity import become_guest
from sandbox_runtime.jail.controls.seccomp import helper_program
from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.process.look_up import Routes, system_resolvers
from sandbox_runtime.network.proxy.process.run import Outside
from sandbox_runtime.network.proxy.process.server import Server

# Confine this process for good: its groups, descriptors, root directory, user, capabilities and system calls.

_POLICY: Final = Path(__file__).parent / "policy.txt"
_MAX_OPEN_FILES: Final = 16_384


def confine(uid: int, entry_fds: Sequence[int]) -> int:
    """Give up all rights of root; no file can be opened later. Returns the number of descriptors that it may have.

    Raises OSError and JailError.
    """
    program = helper_program(_POLICY.read_text())
    for fd in entry_fds:
        os.write(fd, b"0")
        os.close(fd)
    _enter_empty_root()
    max_fds = _set_limits()
    syscalls.drop_bounding_set()
    become_guest(uid)
    syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 0)
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


_FDS_OF_PROCESS, _FDS_BESIDE_CONNECTIONS = 32, messages.MAX_FDS


def main(control_fd: int) -> None:
    """Serve until the runner closes its end."""
    # A terminal's ^C goes to the whole session. The runner says when the process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(2, False)  # nobody reads the errors while the process lives
    control = socket.socket(fileno=control_fd)
    first = json.loads(control.recv(messages.MAX_MESSAGE_BYTES))
    settings = messages.settings_from(first)
    dns.rdata.load_all_types()  # type: ignore[no-untyped-call]  # no module can be imported later
    outside = Outside(settings, settings.resolvers or system_resolvers(), Routes())
    max_fds = confine(first["uid"], first["entry_fds"])
    # A connection has two sockets, and may have one more of a look-up.
    of_run = 3 * settings.limits.open_connections + _FDS_BESIDE_CONNECTIONS
    server = Server(control, outside, max_runs=min(settings.runs, (max_fds - _FDS_OF_PROCESS) // of_run))
    messages.send(control, {"ready": True})
    server.serve()
    os._exit(0)  # nothing is left to do, and the end of an interpreter takes 0.3 s
