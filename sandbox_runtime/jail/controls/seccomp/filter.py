"""System-call filters: compiled once in the template, loaded by the processes of each run."""

import ctypes
import platform
import struct
from collections.abc import Mapping

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.seccomp.bpf import Instruction, assemble
from sandbox_runtime.jail.controls.seccomp.policy import Policy, call_numbers, read_policy


def instructions(machine: str, policy_text: str | None = None) -> dict[str, list[Instruction]]:
    """Compile the program of each family, for `x86_64` or `aarch64`."""
    return _assemble_all(read_policy(policy_text, machine), machine)


def _assemble_all(policy: Policy, machine: str) -> dict[str, list[Instruction]]:
    numbers = call_numbers()[machine]
    return {family: assemble(machine, policy.by_number(family, numbers), policy.checks) for family in policy.rules}


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Program:
    """A compiled filter in memory. A forked process loads it with one call."""

    def __init__(self, code: list[Instruction]) -> None:
        packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
        self.code = packed  # `struct sock_filter`s
        self._buffer = ctypes.create_string_buffer(packed, len(packed))
        self._header = _SockFprog(len(code), ctypes.addressof(self._buffer))

    def load(self) -> None:
        """Confine this process for good, prctl(2) PR_SET_SECCOMP. no_new_privs must be set before."""
        pointer = ctypes.addressof(self._header)
        syscalls.prctl("load seccomp", syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, pointer)


def build_programs() -> Mapping[str, Program]:
    """Compile the filters of this machine, by family; `policy.INIT` is that of init."""
    return {family: Program(code) for family, code in instructions(platform.machine()).items()}


def helper_program(policy_text: str) -> Program:
    """Compile the filter of a process of ours outside the jail. The policy's only family is `helper`."""
    policy = read_policy(policy_text, groups={"helper": ("helper",)})
    return Program(_assemble_all(policy, platform.machine())["helper"])
