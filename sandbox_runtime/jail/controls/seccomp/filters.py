"""The system-call filters: read the policy file, which explains its grammar, and compile one program for each family.

The template compiles them once, and the processes of each run load them.
"""

import ctypes
import errno
import json
import platform
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.spec import FilterFamily

INIT, SMALL_INIT = "init", "small_init"
UNKNOWN = "unknown"
EVERY_BIT = 0xFFFFFFFF
SIMPLE_RULES = frozenset({"allow", "deny", "noop", "absent"})
_HERE = Path(__file__).parent
_GUESTS = tuple(FilterFamily)
_GROUPS = {
    "base": _GUESTS,
    "programs": tuple(family for family in _GUESTS if family is not FilterFamily.COMPILE),
    INIT: (INIT,),
    SMALL_INIT: (SMALL_INIT,),
    **{family.value: (family,) for family in _GUESTS},
}
_CHECK = re.compile(
    r"(?P<rule>\w+) (?:when arg(?P<when>[0-5]) in (?P<when_values>[\w -]+), )?"
    r"arg(?P<argument>[0-5])(?:&(?P<mask>\w+))? (?P<test>in|not in|without) (?P<values>[\w -]+) "
    r"else (?P<failure>E\w+|noop)"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition on a call's arguments. `when`: an argument and the values with which the condition applies."""

    argument: int
    test: str  # "in", "not in": one of the values; "without": none of the values' bits
    values: tuple[int, ...]
    errno: int  # 0: the call does nothing and succeeds
    mask: int = EVERY_BIT
    when: tuple[int, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`rules[family][call]` is a simple rule or a key of `checks`. Calls are names."""

    rules: Mapping[str, Mapping[str, str]]
    checks: Mapping[str, tuple[Check, ...]]

    def by_number(self, family: str, numbers: Mapping[str, int]) -> dict[int, str]:
        """Return the rule of each call number of a machine. Calls that only other families have are "deny"."""
        named = {name for rules in self.rules.values() for name in rules}
        own = self.rules[family]
        return {numbers[name]: own.get(name, "deny") for name in named if name in numbers}


def call_numbers() -> Mapping[str, Mapping[str, int]]:
    """Read the call numbers by machine (`x86_64`, `aarch64`) and name, as in the kernel's unistd headers."""
    table: dict[str, dict[str, int]] = json.loads((_HERE / "numbers.json").read_text())
    return table


def read_policy(
    text: str | None = None, machine: str | None = None, groups: Mapping[str, tuple[str, ...]] = _GROUPS
) -> Policy:
    """Parse the policy of this package, or `text`, for `machine` or this one. Raises ValueError with the wrong word.

    `groups`: the families of each word that a header may have.
    """
    machine = machine or platform.machine()
    known = {name for names in call_numbers().values() for name in names}
    rules: dict[str, dict[str, str]] = {family: {} for families in groups.values() for family in families}
    checks: dict[str, tuple[Check, ...]] = {}
    constants: dict[str, int] = {}
    families: tuple[str, ...] = ()
    for line in _lines(text if text is not None else (_HERE / "policy.txt").read_text()):
        if line.startswith("["):
            families = _families(line, groups)
            continue
        word, _, rest = line.partition(" ")
        if word == "check":
            rule, check = _parse_check(rest, constants)
            checks[rule] = (*checks.get(rule, ()), check)
            continue
        if word == "constant":
            name, *pairs = rest.split()
            constants[name] = int(dict(zip(pairs[::2], pairs[1::2], strict=True))[machine], 0)
            continue
        if word not in SIMPLE_RULES and word not in checks:
            raise ValueError(f"policy: no such rule: {word}")
        for name in rest.split():
            if name not in known:
                raise ValueError(f"policy: unknown call: {name}")
            for family in families:
                if name in rules[family]:
                    raise ValueError(f"policy: repeated call: {name} for {family}")
                rules[family][name] = word
    return Policy(rules, checks)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            yield " ".join(words)


def _families(header: str, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    names = header.strip("[]").split()
    unknown = [name for name in names if name not in groups]
    if unknown:
        raise ValueError(f"policy: no such family: {unknown[0]}")
    return tuple(family for name in names for family in groups[name])


def _parse_check(text: str, constants: Mapping[str, int]) -> tuple[str, Check]:
    match = _CHECK.fullmatch(text)
    failure = "" if match is None else match["failure"]
    if match is None or match["rule"] in SIMPLE_RULES or not (failure == "noop" or hasattr(errno, failure)):
        raise ValueError(f"policy: not a check: {text}")
    when = None if match["when"] is None else (int(match["when"]), _values(match["when_values"], constants))
    return match["rule"], Check(
        argument=int(match["argument"]),
        test=match["test"],
        values=_values(match["values"], constants),
        errno=0 if failure == "noop" else getattr(errno, failure),
        mask=int(match["mask"] or str(EVERY_BIT), 0),
        when=when,
    )


def _values(text: str, constants: Mapping[str, int]) -> tuple[int, ...]:
    found: list[int] = []
    for word in text.split():
        first, _, last = word.partition("-")
        if first in constants:
            found.append(constants[first])
        else:
            found += range(int(first, 0), int(last or first, 0) + 1)
    return tuple(found)


# Compile the rules of one family to a classic BPF program: seccomp(2), linux/bpf_common.h, linux/seccomp.h, audit.h.
#
# Each run loads a filter. The kernel then translates it, and runs it once for every call number to find the calls
# that are always allowed; those skip the filter from then on. So the program is short: a binary search over ranges of
# call numbers, whose leaves are shared.

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
    """Compile the filters of this machine, by family; `INIT` is that of init."""
    return {family: Program(code) for family, code in instructions(platform.machine()).items()}


def helper_program(policy_text: str) -> Program:
    """Compile the filter of a process of ours outside the jail. The policy's only family is `helper`."""
    policy = read_policy(policy_text, groups={"helper": ("helper",)})
    return Program(_assemble_all(policy, platform.machine())["helper"])
