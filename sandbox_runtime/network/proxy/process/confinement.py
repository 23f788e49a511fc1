"""Confine this process for good: its groups, descriptors, root directory, user, capabilities and system calls."""

import os
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.identity import become_guest
from sandbox_runtime.jail.controls.seccomp import helper_program

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
