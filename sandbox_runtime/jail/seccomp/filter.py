"""Compile rules to a classic BPF program: arch check, then a binary search over ranges of call numbers.

The search tree keeps the program's depth near 8: the kernel runs the filter over every call number when it
is loaded (its allow bitmap), so a linear list would cost more per run than all other controls.
`seccomp(2)`, `linux/bpf_common.h`, `linux/seccomp.h`, `linux/audit.h`.
"""

import ctypes
import errno
import platform
import struct
from itertools import pairwise

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.seccomp.policy import rules

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant

_LOAD, _AND, _JEQ, _JGE, _JA, _RET = 0x20, 0x54, 0x15, 0x35, 0x05, 0x06
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARG0, _OFFSET_ARG1 = 0, 4, 16, 24
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# NEWTIME NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET
_CLONE_NEW_FLAGS = 0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_TIOCSTI, _TIOCLINUX, _TIOCSETD = 0x5412, 0x541C, 0x5423
_FARTHEST_JUMP = 255


def _ret(value: int) -> list[Instruction]:
    return [(_RET, 0, 0, value)]


def _fail(number: int) -> list[Instruction]:
    return _ret(_ERRNO | number)


def _only(offset: int, values: tuple[int, ...], otherwise: list[Instruction]) -> list[Instruction]:
    """Allow when the low half of the argument at `offset` is one of `values`: these arguments are C ints."""
    code: list[Instruction] = [(_LOAD, 0, 0, offset)]
    for value in values:
        code += [(_JEQ, 0, 1, value), *_ret(_ALLOW)]
    return code + otherwise


_BLOCKS: dict[str, list[Instruction]] = {
    "unknown": _fail(errno.ENOSYS),
    "allow": _ret(_ALLOW),
    "deny": _fail(errno.EPERM),
    "threads": [
        (_LOAD, 0, 0, _OFFSET_ARG0),
        (_AND, 0, 0, _CLONE_NEW_FLAGS),
        (_JEQ, 0, 1, 0),
        *_ret(_ALLOW),
        *_fail(errno.EPERM),
    ],
    "sockets": _only(_OFFSET_ARG0, (_AF_UNIX, _AF_INET, _AF_INET6), _fail(errno.EAFNOSUPPORT)),
    "persona": _only(_OFFSET_ARG0, (0, 0xFFFFFFFF), _fail(errno.EPERM)),
    "console": [
        (_LOAD, 0, 0, _OFFSET_ARG1),
        (_JEQ, 2, 0, _TIOCSTI),
        (_JEQ, 1, 0, _TIOCLINUX),
        (_JEQ, 0, 1, _TIOCSETD),
        *_fail(errno.EPERM),
        *_ret(_ALLOW),
    ],
}


def _ranges(by_number: dict[int, str]) -> list[tuple[int, str]]:
    """Sorted (first number, rule): each rule holds up to the next entry. Gaps are `unknown`."""
    starts: list[tuple[int, str]] = [(0, by_number.get(0, "unknown"))]
    for number in range(1, max(by_number) + 2):
        rule = by_number.get(number, "unknown")
        if rule != starts[-1][1]:
            starts.append((number, rule))
    return starts


def _tree(ranges: list[tuple[int, str]]) -> list[Instruction]:
    if len(ranges) == 1:
        return _BLOCKS[ranges[0][1]]
    middle = len(ranges) // 2
    left, right = _tree(ranges[:middle]), _tree(ranges[middle:])
    pivot = ranges[middle][0]
    if len(left) <= _FARTHEST_JUMP:
        return [(_JGE, len(left), 0, pivot), *left, *right]
    return [(_JGE, 0, 1, pivot), (_JA, 0, 0, len(left)), *left, *right]


def instructions(machine: str, policy_text: str | None = None) -> list[Instruction]:
    """The whole program for `x86_64` or `aarch64`."""
    head: list[Instruction] = [
        (_LOAD, 0, 0, _OFFSET_ARCH),
        (_JEQ, 1, 0, _AUDIT_ARCH[machine]),
        *_ret(_KILL_PROCESS),
        (_LOAD, 0, 0, _OFFSET_NR),
        (_JGE, 0, 1, _X32_BIT),
        *_fail(errno.ENOSYS),
    ]
    ranges = _ranges(rules(machine, policy_text))
    if any(first >= second for (first, _), (second, _) in pairwise(ranges)):
        raise ValueError("policy: ranges are not sorted")
    return head + _tree(ranges)


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Program:
    """A compiled filter, kept in memory so that a forked child only has to make one call."""

    def __init__(self, code: list[Instruction]) -> None:
        packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
        self._buffer = ctypes.create_string_buffer(packed, len(packed))
        self._header = _SockFprog(len(code), ctypes.addressof(self._buffer))

    def load(self) -> None:
        """Confine this process for good, prctl(2) PR_SET_SECCOMP. no_new_privs must be set before."""
        pointer = ctypes.addressof(self._header)
        syscalls.prctl("load seccomp", syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, pointer)


def build_program() -> Program:
    """The filter of this machine."""
    return Program(instructions(platform.machine()))
