"""The small init: process 1 of a run as a small C program without interpreter, heap or files.

A fork of the template costs time in proportion to the template's memory. The small init shares that memory instead,
while the template waits. It enters its group, forks the program, gives up root and executes `small_init.c`, which
closes its other descriptors, loads its filter, and reaps until the program has ended. The program waits until init is
confined before it becomes the guest.

`init` is used instead when the small init is not built.
`languages.preparation` builds both C files.
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls import identity
from sandbox_runtime.jail.errors import JailError

INIT_SOURCE, START_SOURCE, HEADER = (
    Path(__file__).with_name(name) for name in ("small_init.c", "small_init_start.c", "small_init.h")
)
INIT_FILE, START_FILE = "init", "start.so"
_LEAST_RSEQ_BYTES = 32  # linux/rseq.h


class _Order(ctypes.Structure):
    """`struct order` of small_init_start.c."""

    _fields_ = (
        ("thread_id", ctypes.c_void_p),
        *((name, ctypes.c_long) for name in ("flags", "rseq_offset", "rseq_bytes")),
        *((name, ctypes.c_int) for name in ("status_fd", "entry_fd", "image_fd", "pidfd")),
        ("init_id", ctypes.c_uint),
    )


@dataclass(frozen=True, slots=True)
class Built:
    """The built executable, and the library that starts it, loaded into this process."""

    executable: bytes
    library: ctypes.PyDLL


def load(directory: str) -> Built | None:
    """Load both files of `directory`, which is outside the guest's root. None when it is "". Raises JailError."""
    if not directory:
        return None
    try:
        # PyDLL keeps the interpreter lock during the call: the program must own it when it comes back.
        library = ctypes.PyDLL(os.path.join(directory, START_FILE))
        return Built(Path(directory, INIT_FILE).read_bytes(), library)
    except OSError as error:
        raise JailError("load init", directory, error.errno or 0, "prepare the toolchains again") from error


class SmallInit:
    """Use it in the template. `image_fd`: of the executable file; `guest`: the guests' user id."""

    def __init__(self, built: Built, image_fd: int, guest: int) -> None:
        self._call = built.library.start
        self._call.restype = ctypes.c_long
        self._order = _Order(
            image_fd=image_fd, init_id=identity.init_uid(guest), thread_id=syscalls.thread_id_address()
        )
        self._order.rseq_offset, self._order.rseq_bytes = _rseq()
        self._pointer = ctypes.byref(self._order)
        self._gate = 0, 0

    def start(self, namespaces: int, status_fd: int, entry_fd: int) -> tuple[int, int]:
        """Start init and the program. Returns (pid of init, its pidfd), and (0, -1) in the program. Raises JailError.

        `entry_fd`: of its group, see `cgroup.interface`. The caller must be single-threaded. It returns in the program
        while init is still root and shares the template's memory: call `wait_for_init` before it becomes the guest.
        """
        self._gate = os.pipe2(0)  # open over init's exec, until it has closed all but its status
        order = self._order
        order.flags, order.status_fd, order.entry_fd = namespaces, status_fd, entry_fd
        pid: int = self._call(self._pointer)
        if pid:
            for fd in self._gate:
                os.close(fd)
        if pid < 0:
            raise JailError("clone", "", -pid, "namespaces need root; see `doctor`")
        return (pid, order.pidfd) if pid else (0, -1)

    def wait_for_init(self) -> None:
        """Wait until init has given up root and closed its descriptors, or has ended. Call it in the program."""
        read_end, write_end = self._gate
        os.close(write_end)
        os.read(read_end, 1)  # the end of the file
        os.close(read_end)


def _rseq() -> tuple[int, int]:
    """Offset from the thread pointer and size of the area that glibc 2.35 and later registers; (0, 0) without one."""
    libc = ctypes.CDLL(None)
    try:
        size = ctypes.c_uint.in_dll(libc, "__rseq_size").value
        offset = ctypes.c_ssize_t.in_dll(libc, "__rseq_offset").value
    except ValueError:  # another C library
        return 0, 0
    return (offset, max(size, _LEAST_RSEQ_BYTES)) if size else (0, 0)
