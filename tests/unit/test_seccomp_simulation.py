"""Both machines' programs, run by a small interpreter over every call number, against the policy read a second time.

The expectations use nothing of the compiler or of the policy's reader; only the table of call numbers is shared.
"""

import errno
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

import sandbox_runtime.jail.seccomp
from sandbox_runtime.jail.seccomp.filter import instructions
from sandbox_runtime.jail.seccomp.policy import call_numbers

Instruction = tuple[int, int, int, int]
POLICY = Path(sandbox_runtime.jail.seccomp.__file__).with_name("policy.txt").read_text()
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FOREIGN = (0, 0x40000003, 0x40000028, 0x8000003E, 0xC000003D, 0xFFFFFFFF)  # i386 and 32-bit arm among them
GUESTS = ("native", "python", "javascript", "java", "go", "compile")
FAMILIES = (*GUESTS, "init", "small_init")
X32 = 0x40000000
BEYOND = (2049, 4095, 65535, X32 - 1, 0x7FFFFFFF, 0x80000000, 0xC0000000, 0xFFFFFFFF)
LONGEST_PROGRAM = 4096  # BPF_MAXINSNS
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

LD_ABS, ALU_AND, JMP_JEQ, JMP_JGE, JMP_JA, RET_K = 0x20, 0x54, 0x15, 0x35, 0x05, 0x06
DATA_BYTES, FIRST_ARGUMENT = 64, 16  # struct seccomp_data

every_program = pytest.mark.parametrize(
    ("machine", "family"), [(machine, family) for machine in ARCHITECTURES for family in FAMILIES]
)


@cache
def program(machine: str, family: str) -> list[Instruction]:
    return instructions(machine)[family]


def answer(code: list[Instruction], number: int, architecture: int, arguments: tuple[int, ...]) -> tuple[int, int]:
    """(value that the kernel acts on, instructions up to it or to the first look at an argument).

    Raises KeyError for an instruction that is none of ours.
    """
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *arguments)
    accumulator = position = steps = 0
    steps_of_search: int | None = None
    while True:
        operation, if_true, if_false, constant = code[position]
        position, steps = position + 1, steps + 1
        if operation == RET_K:
            return constant, steps_of_search or steps
        if operation == LD_ABS:
            if constant >= FIRST_ARGUMENT and steps_of_search is None:
                steps_of_search = steps
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif operation == ALU_AND:
            accumulator &= constant
        elif operation == JMP_JEQ:
            position += if_true if accumulator == constant else if_false
        elif operation == JMP_JGE:
            position += if_true if accumulator >= constant else if_false
        elif operation == JMP_JA:
            position += constant
        else:
            raise KeyError(operation)


def run(code: list[Instruction], number: int, architecture: int, arguments: tuple[int, ...] = (0,) * 6) -> int:
    return answer(code, number, architecture, arguments)[0]


# --- the policy, read a second time ---


@dataclass
class Condition:
    only_for: tuple[int, set[int]] | None
    argument: int
    test: str
    values: set[int]
    failure: int

    def result(self, arguments: tuple[int, ...]) -> int | None:
        """The value of a failure, None if the call may go on."""
        if self.only_for is not None and arguments[self.only_for[0]] & 0xFFFFFFFF not in self.only_for[1]:
            return None
        seen = arguments[self.argument] & 0xFFFFFFFF
        good = {
            "in": seen in self.values,
            "not in": seen not in self.values,
            "without": not any(seen & value for value in self.values),
        }[self.test]
        return None if good else ERRNO | self.failure

    def interesting(self) -> Iterator[tuple[int, int]]:
        """(argument, value) at and beside every boundary, also with bits that a C int does not have."""
        pairs = [(self.argument, value) for value in self.values]
        if self.only_for is not None:
            pairs += [(self.only_for[0], value) for value in self.only_for[1]]
        for argument, value in pairs:
            bits = [1 << bit for bit in range(32) if value >> bit & 1] if self.test == "without" else []
            for near in (value - 1, value, value + 1, value | 1 << 32, value ^ 1 << 31, *bits):
                yield argument, near & 0xFFFFFFFFFFFFFFFF


@dataclass
class Reading:
    rules: dict[str, dict[str, str]] = field(default_factory=lambda: {family: {} for family in FAMILIES})
    checks: dict[str, list[Condition]] = field(default_factory=dict)

    def expected(self, family: str, name: str | None, arguments: tuple[int, ...]) -> int:
        if name is None or all(name not in rules for rules in self.rules.values()):
            return ERRNO | errno.ENOSYS
        rule = self.rules[family].get(name, "deny")
        simple = {"allow": ALLOW, "deny": ERRNO | errno.EPERM, "noop": ERRNO}
        if rule in simple:
            return simple[rule]
        failures = [condition.result(arguments) for condition in self.checks[rule]]
        return next((failure for failure in failures if failure is not None), ALLOW)


def read_again(text: str) -> Reading:
    reading = Reading()
    families: list[str] = []
    for raw in text.split("\n"):
        line = re.sub(r"\s*#.*", "", raw).strip()
        if line.startswith("["):
            families = []
            for word in line[1:-1].split():
                families += {"base": list(GUESTS), "programs": [g for g in GUESTS if g != "compile"]}.get(word, [word])
        elif line.startswith("check "):
            _, rule, rest = line.split(maxsplit=2)
            condition, failure = rest.split(" else ")
            only_for = None
            if condition.startswith("when "):
                when, condition = condition.removeprefix("when ").split(", ")
                argument, values = when.split(" in ")
                only_for = (int(argument[3:]), {int(value, 16 if "x" in value else 10) for value in values.split()})
            found = re.fullmatch(r"arg(\d) (in|not in|without) (.*)", condition)
            assert found is not None, line
            values_of = {int(value, 16 if "x" in value else 10) for value in found[3].split()}
            number: int = getattr(errno, failure)
            entry = Condition(only_for, int(found[1]), found[2], values_of, number)
            reading.checks.setdefault(rule, []).append(entry)
        elif line:
            rule, *names = line.split()
            for family in families:
                reading.rules[family] |= dict.fromkeys(names, rule)
    return reading


READING = read_again(POLICY)


def variations(family: str, name: str | None) -> Iterator[tuple[int, ...]]:
    """Arguments to try: for calls with a check pairs of interesting values, for all others one and its opposite."""
    yield (0,) * 6
    yield (0xFFFFFFFFFFFFFFFF,) * 6
    conditions = READING.checks.get(READING.rules[family].get(name or "", ""), [])
    pairs = [pair for condition in conditions for pair in condition.interesting()]
    agreeing = [0] * 6
    for condition in conditions:
        agreeing[condition.argument] = min(condition.values) if condition.test == "in" else 0
    for condition in conditions:
        for value in range(300):  # values that the policy does not name, where all else agrees
            yield tuple(value if place == condition.argument else seen for place, seen in enumerate(agreeing))
    for first_argument, first in pairs:
        for second_argument, second in pairs if len(pairs) < 150 else pairs[:1]:
            arguments = [0] * 6
            arguments[first_argument] = first
            if second_argument != first_argument:
                arguments[second_argument] = second
            yield tuple(arguments)


@every_program
def test_every_number_gets_what_the_policy_says(machine: str, family: str) -> None:
    code, names = program(machine, family), {number: name for name, number in call_numbers()[machine].items()}
    wrong = [
        (number, names.get(number), arguments, hex(found), hex(expected))
        for number in (*range(2049), *BEYOND)
        for arguments in variations(family, names.get(number))
        if (found := run(code, number, ARCHITECTURES[machine], arguments))
        != (expected := READING.expected(family, names.get(number), arguments))
    ]
    assert wrong == []


@every_program
def test_every_x32_number_is_unknown(machine: str, family: str) -> None:
    code = program(machine, family)
    found = {run(code, X32 | number, ARCHITECTURES[machine]) for number in range(2049)}
    assert found == {ERRNO | errno.ENOSYS}


@every_program
def test_a_foreign_abi_is_killed_whatever_the_number(machine: str, family: str) -> None:
    code = program(machine, family)
    foreign = {*FOREIGN, *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}
    assert {run(code, number, wrong) for wrong in foreign for number in (*range(600), *BEYOND)} == {KILL_PROCESS}


def targets(position: int, instruction: Instruction) -> list[int]:
    operation, if_true, if_false, constant = instruction
    if operation == RET_K:
        return []
    if operation == JMP_JA:
        return [position + 1 + constant]
    if operation in {JMP_JEQ, JMP_JGE}:
        return [position + 1 + if_true, position + 1 + if_false]
    return [position + 1]


@every_program
def test_the_program_is_one_that_the_kernel_takes_and_cheap(
    machine: str, family: str, record_property: Callable[[str, object], None]
) -> None:
    code = program(machine, family)
    assert 0 < len(code) < LONGEST_PROGRAM
    assert {operation for operation, *_ in code} <= {LD_ABS, ALU_AND, JMP_JEQ, JMP_JGE, JMP_JA, RET_K}
    assert all(k % 4 == 0 and k < DATA_BYTES for operation, _, _, k in code if operation == LD_ABS)
    assert all(0 <= jump <= 255 for _, *jumps, _ in code for jump in jumps)
    assert all(0 <= constant < 1 << 32 for *_, constant in code)

    reached, longest = {0}, [0] * len(code)
    for position, instruction in enumerate(code):  # jumps only go forward, so one pass sees every path
        for target in targets(position, instruction):
            assert position < target < len(code), "a jump out of the program"
            reached.add(target)
    assert reached == set(range(len(code))), "code that nothing reaches"
    for position in reversed(range(len(code))):
        longest[position] = 1 + max((longest[target] for target in targets(position, code[position])), default=0)
    search = max(answer(code, number, ARCHITECTURES[machine], (0,) * 6)[1] for number in range(600))

    record_property("instructions", len(code))
    record_property("depth", longest[0])
    record_property("depth_of_search", search)
    # The kernel runs the search for each of its numbers when the filter is loaded; only prctl's list makes a long path.
    assert (len(code) <= 220, longest[0] <= 64, search <= 14) == (True, True, True), (len(code), longest[0], search)


def test_a_long_program_keeps_its_jumps_in_reach() -> None:
    names = sorted(call_numbers()["x86_64"], key=call_numbers()["x86_64"].__getitem__)
    alternating = "\n".join(f"{('deny', 'checks')[place % 2]} {name}" for place, name in enumerate(names))
    values = " ".join(str(value) for value in range(0, 900, 3))
    text = f"check checks arg3 in {values} else EINVAL\n[base]\n{alternating}\n"
    code = instructions("x86_64", text)["native"]
    assert len(code) > 600
    for name, number in call_numbers()["x86_64"].items():
        checked = names.index(name) % 2
        for value in (0, 1, 897, 898):
            expected = ERRNO | errno.EPERM if not checked else ALLOW if value % 3 == 0 else ERRNO | errno.EINVAL
            assert run(code, number, ARCHITECTURES["x86_64"], (7, 7, 7, value, 7, 7)) == expected, (name, value)
