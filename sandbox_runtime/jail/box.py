"""The working directory of a run after its end: what a hostile program left there, read by descriptor.

The program sends the descriptor before guest code exists. The supervisor reads when no process of the guest is alive,
so nothing changes meanwhile. It also works when the mount namespace is gone: the descriptor keeps the file system.
"""

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox_runtime.jail import syscalls


class NotRegularFileError(Exception):
    """A name that is no regular file: a link, a folder, a pipe, a socket or a device."""


class Box:
    """Owns `fd`, an O_PATH descriptor. `owner`: the guest's user id; None: the runner's own.

    A path is relative, below the working directory. Opening follows no link, leaves neither the directory nor its file
    system, and never waits. All reading has the rights of the guest's user.
    """

    def __init__(self, fd: int, owner: int | None) -> None:
        self._fd, self._owner = fd, owner

    @contextmanager
    def open_file(self, path: str) -> Iterator[int]:
        """Open a regular file to read. Raises OSError and NotRegularFileError."""
        with self._opened(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as fd:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise NotRegularFileError(path)
            yield fd

    @contextmanager
    def entries(self, path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        """List a folder; "": the working directory. Raises OSError."""
        with self._opened(path or ".", os.O_RDONLY | os.O_DIRECTORY) as fd, os.scandir(fd) as listed:
            yield listed

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """Read a regular file of at most `most_bytes`. None: it is missing, larger, or another kind of file."""
        try:
            with self.open_file(path) as fd, os.fdopen(os.dup(fd), "rb") as stream:
                size = os.fstat(fd).st_size
                content = stream.read(size) if size <= most_bytes else None
        except (OSError, NotRegularFileError):
            return None
        return content if content is not None and len(content) == size else None

    @contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        with _rights_of(self._owner):
            fd = syscalls.open_beneath(self._fd, path, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def close(self) -> None:
        """Close the descriptor; a second call does nothing. The kernel frees the files with the last descriptor."""
        fd, self._fd = self._fd, -1  # Order: another thread may close it too, and the number may be another run's then
        if fd >= 0:
            os.close(fd)


_libc = ctypes.CDLL(None)


@contextmanager
def _rights_of(owner: int | None) -> Iterator[None]:
    """Let this thread open files as a user, setfsuid(2). Leaving id 0 takes the rights of root over files from it.

    So a container needs no CAP_DAC_READ_SEARCH, and a file that the guest cannot read stays unread.
    """
    if owner is None:
        yield
        return
    parent, signal_number = os.getppid(), syscalls.parent_death_signal()
    _libc.setfsgid(ctypes.c_uint(owner))
    _libc.setfsuid(ctypes.c_uint(owner))
    try:
        yield
    finally:
        _libc.setfsuid(ctypes.c_uint(0))
        _libc.setfsgid(ctypes.c_uint(0))
        # Each change above cleared it, prctl(2): the main thread's has a runner end with the process that started it.
        if signal_number:
            syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, signal_number)
            if os.getppid() != parent:  # it ended meanwhile
                os.kill(os.getpid(), signal_number)
