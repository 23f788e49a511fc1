"""Compile the rules of one family to a classic BPF program: seccomp(2), linux/bpf_common.h, linux/seccomp.h, audit.h.

Each run loads a filter. The kernel then translates it, and runs it once for every call number to find the calls that
are always allowed; those skip the filter from then on. So the program is short: a binary search over ranges of call
numbers, whose leaves are shared.
"""

import errno
from collections.abc import Mapping

from sandbox_runtime.jail.controls.seccomp.policy import EVERY_BIT, UNKNOWN, Check

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant

_LOAD, _AND, _JEQ, _JGE, _JA, _RET = 0x20, 0x54, 0x15, 0x35, 0x05, 0x06
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARG0, _ARG_BYTES = 0, 4, 16, 8
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_ABSENT = _ERRNO | errno.ENOSYS
_VALUE_OF_RULE = {"allow": _ALLOW, "deny": _ERRNO | errno.EPERM, "noop": _ERRNO, "absent": _ABSENT, UNKNOWN: _ABSENT}
_FARTHEST_JUMP = 255


class _Assembler:
    """Writes a program from its end, because jumps only go forward. A position counts instructions from the end."""

    def __init__(self, checks: Mapping[str, tuple[Check, ...]]) -> None:
        self._from_end: list[Instruction] = []
        self._checks = checks
        self._returns: dict[int, int] = {}
        self._rules: dict[str, int] = {}

    def add(self, instruction: Instruction) -> int:
        """Put an instruction before all others. Returns its position."""
        self._from_end.append(instruction)
        return len(self._from_end) - 1

    def ret(self, value: int) -> int:
        """Return the position of the instruction that returns `value`. Each value has one."""
        if value not in self._returns:
            self._returns[value] = self.add((_RET, 0, 0, value))
        return self._returns[value]

    def _distance(self, position: int) -> int:
        return len(self._from_end) - position - 1

    def _near(self, position: int) -> int:
        """Return `position`, or that of a far jump to it, close enough for a conditional jump two instructions on."""
        if self._distance(position) < _FARTHEST_JUMP:
            return position
        return self.add((_JA, 0, 0, self._distance(position)))

    def jump(self, test: int, constant: int, if_true: int, if_false: int) -> int:
        """Add a conditional jump to two positions. Returns its position."""
        if_true, if_false = self._near(if_true), self._near(if_false)
        return self.add((test, self._distance(if_true), self._distance(if_false), constant))

    def _load(self, argument: int, mask: int = EVERY_BIT) -> int:
        if mask != EVERY_BIT:
            self.add((_AND, 0, 0, mask))
        return self.add((_LOAD, 0, 0, _OFFSET_ARG0 + _ARG_BYTES * argument))

    def _any_of(self, values: tuple[int, ...], if_true: int, if_false: int) -> int:
        bounds = _bounds(values)
        if len(bounds) <= len(values):
            return self._bisect([(first, if_true if inside else if_false) for first, inside in bounds])
        for value in reversed(values):
            if_false = self.jump(_JEQ, value, if_true, if_false)
        return if_false

    def _bisect(self, ranges: list[tuple[int, int]]) -> int:
        """Add a binary search over sorted (first value, position). Returns its position."""
        if len(ranges) == 1:
            return ranges[0][1]
        middle = len(ranges) // 2
        right, left = self._bisect(ranges[middle:]), self._bisect(ranges[:middle])
        return self.jump(_JGE, ranges[middle][0], right, left)

    def _check(self, check: Check, passed: int) -> int:
        failed = self.ret(_ERRNO | check.errno)
        if check.test == "without":
            mask = 0
            for value in check.values:
                mask |= value
            self.jump(_JEQ, 0, passed, failed)
            start = self._load(check.argument, mask)
        else:
            if_any, if_none = (passed, failed) if check.test == "in" else (failed, passed)
            self._any_of(check.values, if_any, if_none)
            start = self._load(check.argument, check.mask)
        if check.when is not None:
            argument, values = check.when
            self._any_of(values, start, passed)
            start = self._load(argument)
        return start

    def rule(self, name: str) -> int:
        """Return the position of the instructions for this rule. Each rule has them once."""
        if name in _VALUE_OF_RULE:
            return self.ret(_VALUE_OF_RULE[name])
        if name not in self._rules:
            position = self.ret(_ALLOW)
            for check in reversed(self._checks[name]):
                position = self._check(check, position)
            self._rules[name] = position
        return self._rules[name]

    def search(self, ranges: list[tuple[int, str]]) -> int:
        """Add a binary search over sorted (first number, rule). Returns its position."""
        if len(ranges) == 1:
            return self.rule(ranges[0][1])
        middle = len(ranges) // 2
        right, left = self.search(ranges[middle:]), self.search(ranges[:middle])
        return self.jump(_JGE, ranges[middle][0], right, left)

    def finish(self, machine: str) -> list[Instruction]:
        """Add the check of the ABI before the last search. Returns the program from its start."""
        start = self.add((_LOAD, 0, 0, _OFFSET_NR))
        self.jump(_JEQ, _AUDIT_ARCH[machine], start, self._returns[_KILL_PROCESS])
        self.add((_LOAD, 0, 0, _OFFSET_ARCH))
        return self._from_end[::-1]


def _bounds(values: tuple[int, ...]) -> list[tuple[int, bool]]:
    """Return sorted (first value, whether it and all values up to the next entry are in `values`)."""
    found = [(0, 0 in values)]
    for first in sorted({near for value in values for near in (value, value + 1)} - {0, EVERY_BIT + 1}):
        if (first in values) != found[-1][1]:
            found.append((first, first in values))
    return found


def _ranges(by_number: Mapping[int, str]) -> list[tuple[int, str]]:
    """Return sorted (first number, rule). A rule holds up to the next entry; the last one, UNKNOWN, covers x32 too."""
    ranges = [(0, by_number.get(0, UNKNOWN))]
    for number in range(1, max(by_number) + 2):
        rule = by_number.get(number, UNKNOWN)
        if rule != ranges[-1][1]:
            ranges.append((number, rule))
    return ranges


def assemble(machine: str, by_number: Mapping[int, str], checks: Mapping[str, tuple[Check, ...]]) -> list[Instruction]:
    """Return the program for `x86_64` or `aarch64`."""
    assembler = _Assembler(checks)
    assembler.ret(_KILL_PROCESS)  # first: later it would lie between the load of the number and the search
    assembler.search(_ranges(by_number))
    return assembler.finish(machine)
