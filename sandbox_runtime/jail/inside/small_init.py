"""Process 1 of a run as a small program of C, which has no interpreter, no heap and no file.

A fork of the template costs what its memory costs. This init shares the template's memory, which waits, until it has
entered its group, started the program by an ordinary fork, given up its identity and executed `small_init.c`. That
closes what is left, loads its filter, and reaps until the program has ended. The program waits for that before it
becomes the guest.

Not for a run whose compiled file init has to copy, in a user namespace, or where nothing was built: there `init` is
used. `languages.process_one` builds both files.
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

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
        *((name, ctypes.c_long) for name in ("flags", "rseq_offset", "rseq_bytes")),
        *((name, ctypes.c_int) for name in ("status_fd", "entry_fd", "image_fd", "pidfd")),
        ("init_id", ctypes.c_uint),
    )


@dataclass(frozen=True, slots=True)
class Built:
    """What was built: the executable file, and the library that starts it, loaded into this process."""

    executable: bytes
    library: ctypes.PyDLL


def load(directory: str) -> Built | None:
    """Read both files of `directory`, which guests need not see. None when it is "". Raises JailError."""
    if not directory:
        return None
    try:
        # PyDLL keeps the interpreter lock during the call: the program must own it when it comes back.
        library = ctypes.PyDLL(os.path.join(directory, START_FILE))
        return Built(Path(directory, INIT_FILE).read_bytes(), library)
    except OSError as error:
        raise JailError("load init", directory, error.errno or 0, "prepare the toolchains again") from error


class SmallInit:
    """Make it in the template. `image_fd`: of the executable file; `guest`: the guests' user id."""

    def __init__(self, built: Built, image_fd: int, guest: int) -> None:
        self._call = built.library.start
        self._call.restype = ctypes.c_long
        self._order = _Order(image_fd=image_fd, init_id=identity.init_uid(guest))
        self._order.rseq_offset, self._order.rseq_bytes = _rseq()
        self._pointer = ctypes.byref(self._order)
        self._gate = 0, 0

    def start(self, namespaces: int, status_fd: int, entry_fd: int) -> tuple[int, int]:
        """Start init and the program. Returns (pid of init, its pidfd), and (0, -1) in the program. Raises JailError.

        `entry_fd`: of its group, see `cgroup.interface`. The caller must be single-threaded. The program comes back
        while init is still root and shares the template's memory: it must `wait_for_init` before it is the guest.
        """
        self._gate = os.pipe2(0)  # open over init's exec, until it has closed all but its status
        order = self._order
        order.flags, order.status_fd, order.entry_fd = namespaces, status_fd, entry_fd
        pid: int = self._call(self._pointer)
        if pid:
            for fd in self._gate:
                os.close(fd)
        if pid < 0:
            raise JailError("clone", "", -pid, "namespaces need root, or user namespaces; see `doctor`")
        return (pid, order.pidfd) if pid else (0, -1)

    def wait_for_init(self) -> None:
        """Only in the program: return when init is confined, but for its filter, or has ended."""
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
