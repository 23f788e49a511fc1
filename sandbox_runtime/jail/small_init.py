"""Process 1 of a run, as small as a process can be: a program of its own with no interpreter, no heap and no file.

A fork of the template costs what its memory costs, so init is none: it shares the template's memory, which waits, for
as long as it takes to enter its group, start the program by an ordinary fork, give up its identity and execute
`small_init_code.INIT`. That closes what is left, loads its filter, and reaps until the program has ended. The program
waits for that before it becomes the guest. What init must call is in tables that Python writes; each record is seven
words: the call's number, five arguments, and the result without which init ends, and with it the whole run.

x86-64 only, and not for a run whose compiled file init has to copy, or in a user namespace: there `init` is used.
"""

import ctypes
import mmap
import os
import platform
import signal
import struct
from collections.abc import Callable, Iterable

from sandbox_runtime.jail import identity, syscalls
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.seccomp import Program
from sandbox_runtime.jail.small_init_code import INIT, START

_RECORD = struct.Struct("<7q")
_END = _RECORD.pack(-1, *[0] * 6)
# asm/unistd_64.h
_WRITE, _DUP2, _EXECVEAT, _CLOSE_RANGE, _PRCTL = 1, 33, 322, 436, 157
_SETGROUPS, _SETRESUID, _SETRESGID, _CAPSET = 116, 117, 119, 126
_AT_EMPTY_PATH, _LAST_FD = 0x1000, 0xFFFF_FFFF
_STATUS_FD = 0  # of init, see `small_init_code`
_LOADED_AT = 0x400000
# elf(5): the header, then two program headers: one segment, readable and executable; a stack that is not executable.
_HEADER, _PROGRAM_HEADER = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
_CODE_AT = _HEADER.size + 2 * _PROGRAM_HEADER.size

_KEPT: list[object] = []  # code stays where it is

Call = tuple[int, tuple[int, ...], int]
"""Number, arguments, expected result."""


def is_possible(*, in_user_namespace: bool) -> bool:
    """Whether this machine's instructions are those that were written down, and no id has to be mapped."""
    return platform.machine() == "x86_64" and not in_user_namespace


def _table(calls: Iterable[Call]) -> bytes:
    records = (_RECORD.pack(number, *(*arguments, 0, 0, 0, 0)[:5], result) for number, arguments, result in calls)
    return b"".join(records) + _END


def image(filter_program: Program) -> bytes:
    """The executable file."""
    # The code ends where its table begins. The table's size does not depend on what it says.
    code = filter_program.code
    filter_at = _LOADED_AT + _CODE_AT + len(INIT) + len(_confine(0))
    header = struct.pack("<HxxxxxxQ", len(code) // 8, filter_at + 16)  # struct sock_fprog of linux/filter.h
    content = INIT + _confine(filter_at) + header + code
    size = _CODE_AT + len(content)
    elf_header = _HEADER.pack(
        b"\x7fELF\x02\x01\x01",
        *(2, 62, 1, _LOADED_AT + _CODE_AT, _HEADER.size, 0, 0),  # ET_EXEC, EM_X86_64
        *(_HEADER.size, _PROGRAM_HEADER.size, 2, 0, 0, 0),
    )
    segment = _PROGRAM_HEADER.pack(1, 5, 0, _LOADED_AT, _LOADED_AT, size, size, mmap.PAGESIZE)
    stack = _PROGRAM_HEADER.pack(0x6474E551, 6, 0, 0, 0, 0, 0, 16)
    return elf_header + segment + stack + content


def _confine(filter_at: int) -> bytes:
    """What the new program does first. `filter_at`: address of its filter."""
    return _table(
        [
            (_PRCTL, (syscalls.PR_SET_DUMPABLE, 0), 0),
            (_PRCTL, (syscalls.PR_SET_PDEATHSIG, signal.SIGKILL), 0),  # a change of identity cleared it
            (_CLOSE_RANGE, (_STATUS_FD + 1, _LAST_FD), 0),  # opens the gate, which its filter would not let it do
            (_PRCTL, (syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, filter_at), 0),
        ]
    )


class SmallInit:
    """Make it in the template. `image_fd`: of the file `image`, which closes at exec; `guest`: the guests' user id."""

    def __init__(self, image_fd: int, guest: int) -> None:
        self._image_fd = image_fd
        self._uid = identity.init_uid(guest)
        self._text, self._empty = ctypes.create_string_buffer(b"0"), ctypes.create_string_buffer(b"")
        self._name = ctypes.create_string_buffer(b"init")
        self._argv = (ctypes.c_void_p * 2)(ctypes.addressof(self._name), None)
        # capset(2), version 3: no capability at all.
        self._capabilities = ctypes.create_string_buffer(struct.pack("<Ii6I", 0x20080522, 0, *[0] * 6))
        self._before = ctypes.create_string_buffer(self._enter(0))
        self._after = ctypes.create_string_buffer(self._give_up(0))
        self._fds = 0, 0  # what is written there
        self._gate = 0, 0
        self._pidfd = ctypes.c_int(-1)
        self._start = _executable(START)

    def _enter(self, entry_fd: int) -> bytes:
        """What init does first, so that the program inherits it."""
        return _table(
            [
                (_PRCTL, (syscalls.PR_SET_PDEATHSIG, signal.SIGKILL), 0),
                (_WRITE, (entry_fd, ctypes.addressof(self._text), 1), 1),
            ]
        )

    def _give_up(self, status_fd: int) -> bytes:
        """What it does when the program is there. The memory is the template's still, whose attribute is kept."""
        header, data = ctypes.addressof(self._capabilities), ctypes.addressof(self._capabilities) + 8
        executed = (self._image_fd, ctypes.addressof(self._empty), ctypes.addressof(self._argv), 0, _AT_EMPTY_PATH)
        return _table(
            [
                (_DUP2, (status_fd, _STATUS_FD), _STATUS_FD),
                (_SETGROUPS, (0, 0), 0),
                (_SETRESGID, (self._uid,) * 3, 0),
                (_SETRESUID, (self._uid,) * 3, 0),
                (_CAPSET, (header, data), 0),
                (_PRCTL, (syscalls.PR_SET_DUMPABLE, 0), 0),
                (_PRCTL, (syscalls.PR_SET_NO_NEW_PRIVS, 1), 0),
                (_EXECVEAT, executed, 0),
            ]
        )

    def start(self, namespaces: int, status_fd: int, entry_fd: int) -> tuple[int, int]:
        """Start init and the program. Returns (pid of init, its pidfd), and (0, -1) in the program. Raises JailError.

        `entry_fd`: of its group, see `cgroup.interface`. The caller must be single-threaded. The program comes back
        while init is still root and shares the template's memory: it must `wait_for_init` before it is the guest.
        """
        self._gate = os.pipe2(0)  # open over init's exec, until it has closed all but its status
        if self._fds != (status_fd, entry_fd):
            self._fds = status_fd, entry_fd
            before, after = self._enter(entry_fd), self._give_up(status_fd)
            ctypes.memmove(self._before, before, len(before))
            ctypes.memmove(self._after, after, len(after))
        flags = namespaces | syscalls.CLONE_PIDFD | syscalls.CLONE_VM | syscalls.CLONE_VFORK | signal.SIGCHLD
        pidfd = ctypes.byref(self._pidfd)
        pid: int = self._start(flags, pidfd, ctypes.addressof(self._before), ctypes.addressof(self._after))
        if pid:
            for fd in self._gate:
                os.close(fd)
        if pid < 0:
            raise JailError("clone", "", -pid, "namespaces need root, or user namespaces; see `doctor`")
        return (pid, self._pidfd.value) if pid else (0, -1)

    def wait_for_init(self) -> None:
        """Only in the program: return when init is confined, but for its filter, or has ended."""
        read_end, write_end = self._gate
        os.close(write_end)
        os.read(read_end, 1)  # the end of the file
        os.close(read_end)


def _executable(code: bytes) -> Callable[..., int]:
    """A function of machine code, for good."""
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    memory[: len(code)] = code
    view = ctypes.c_char.from_buffer(memory)
    syscalls.make_executable(ctypes.addressof(view), mmap.PAGESIZE)
    # PYFUNCTYPE keeps the interpreter lock during the call: the program must own it when it comes back.
    prototype = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    function = prototype(ctypes.addressof(view))
    _KEPT.append(view)
    return function
