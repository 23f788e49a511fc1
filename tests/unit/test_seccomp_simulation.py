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

import sandbox_runtime.jail.controls.seccomp
from sandbox_runtime.jail.controls.seccomp.filters import call_numbers, instructions

Instruction = tuple[int, int, int, int]
POLICY = Path(sandbox_runtime.jail.controls.seccomp.__file__).with_name("policy.txt").read_text()
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
    mask: int = 0xFFFFFFFF

    def result(self, arguments: tuple[int, ...]) -> int | None:
        """The value of a failure, None if the call may go on."""
        if self.only_for is not None and arguments[self.only_for[0]] & 0xFFFFFFFF not in self.only_for[1]:
            return None
        seen = arguments[self.argument] & self.mask
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
            for near in (value - 1, value, value + 1, value | 1 << 32, value ^ 1 << 31, value ^ 1 << 19, *bits):
                yield argument, near & 0xFFFFFFFFFFFFFFFF


@dataclass
class Reading:
    rules: dict[str, dict[str, str]] = field(default_factory=lambda: {family: {} for family in FAMILIES})
    checks: dict[str, list[Condition]] = field(default_factory=dict)

    def expected(self, family: str, name: str | None, arguments: tuple[int, ...]) -> int:
        if name is None or all(name not in rules for rules in self.rules.values()):
            return ERRNO | errno.ENOSYS
        rule = self.rules[family].get(name, "deny")
        simple = {"allow": ALLOW, "deny": ERRNO | errno.EPERM, "noop": ERRNO, "absent": ERRNO | errno.ENOSYS}
        if rule in simple:
            return simple[rule]
        failures = [condition.result(arguments) for condition in self.checks[rule]]
        return next((failure for failure in failures if failure is not None), ALLOW)


def read_numbers(text: str, constants: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for word in text.split():
        if word in constants:
            found.add(constants[word])
            continue
        ends = [int(end, 16 if "x" in end else 10) for end in word.split("-")]
        found |= set(range(ends[0], ends[-1] + 1))
    return found


def read_condition(text: str, constants: dict[str, int]) -> Condition:
    condition, failure = text.split(" else ")
    only_for = None
    if condition.startswith("when "):
        when, condition = condition.removeprefix("when ").split(", ")
        argument, values = when.split(" in ")
        only_for = (int(argument[3:]), read_numbers(values, constants))
    found = re.fullmatch(r"arg(\d)(?:&0x(\w+))? (in|not in|without) (.*)", condition)
    assert found is not None, text
    number = 0 if failure == "noop" else getattr(errno, failure)
    mask = int(found[2] or "FFFFFFFF", 16)
    return Condition(only_for, int(found[1]), found[3], read_numbers(found[4], constants), number, mask)


@cache
def read_again(machine: str) -> Reading:
    reading = Reading()
    families: list[str] = []
    constants: dict[str, int] = {}
    for raw in POLICY.split("\n"):
        line = re.sub(r"\s*#.*", "", raw).strip()
        word, _, rest = line.partition(" ")
        if line.startswith("["):
            families = []
            for family in line[1:-1].split():
                groups = {"base": list(GUESTS), "programs": [guest for guest in GUESTS if guest != "compile"]}
                families += groups.get(family, [family])
        elif word == "constant":
            constants[rest.split()[0]] = int(rest.split()[rest.split().index(machine) + 1], 16)
        elif word == "check":
            rule, condition = rest.split(maxsplit=1)
            reading.checks.setdefault(rule, []).append(read_condition(condition, constants))
        elif line:
            for family in families:
                reading.rules[family] |= dict.fromkeys(rest.split(), word)
    return reading


def variations(reading: Reading, family: str, name: str | None) -> Iterator[tuple[int, ...]]:
    """Arguments to try: for calls with a check pairs of interesting values, for all others one and its opposite."""
    yield (0,) * 6
    yield (0xFFFFFFFFFFFFFFFF,) * 6
    conditions = reading.checks.get(reading.rules[family].get(name or "", ""), [])
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
def test_every_system_call_number_gets_the_action_of_the_policy(machine: str, family: str) -> None:
    code, reading = program(machine, family), read_again(machine)
    names = {number: name for name, number in call_numbers()[machine].items()}
    wrong = [
        (number, names.get(number), arguments, hex(found), hex(expected))
        for number in (*range(2049), *BEYOND)
        for arguments in variations(reading, family, names.get(number))
        if (found := run(code, number, ARCHITECTURES[machine], arguments))
        != (expected := reading.expected(family, names.get(number), arguments))
    ]
    assert wrong == []


@every_program
def test_every_x32_number_is_unknown(machine: str, family: str) -> None:
    code = program(machine, family)
    found = {run(code, X32 | number, ARCHITECTURES[machine]) for number in range(2049)}
    assert found == {ERRNO | errno.ENOSYS}


@every_program
def test_a_foreign_abi_is_killed_for_every_number(machine: str, family: str) -> None:
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
    assert (len(code) <= 350, longest[0] <= 48, search <= 14) == (True, True, True), (len(code), longest[0], search)


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


# --- what the policy is there for, in words of its own ---

AT_FDCWD = 0xFFFFFF9C
O_DIRECT = {"x86_64": 0o40000, "aarch64": 0o200000}
O_DIRECTORY = {"x86_64": 0o200000, "aarch64": 0o40000}
F_GETFL, F_SETFL, F_SETLK, F_SETLKW, F_SETLEASE = 3, 4, 6, 7, 1024
OFD_LOCKS = (36, 37, 38)
NOOP = ERRNO
STREAM, DATAGRAM, RAW, SEQUENTIAL, PACKET, NONBLOCK, CLOEXEC = 1, 2, 3, 5, 10, 0o4000, 0o2000000
UNIX, INET, INET6 = 1, 2, 10
TCP, UDP, ICMP, SCTP = 6, 17, 1, 132

every_guest = pytest.mark.parametrize(
    ("machine", "family"), [(machine, family) for machine in ARCHITECTURES for family in GUESTS]
)


def called(machine: str, family: str, name: str, *arguments: int) -> int:
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    return run(program(machine, family), call_numbers()[machine][name], ARCHITECTURES[machine], padded)


@every_guest
def test_no_guest_reads_past_the_page_cache(machine: str, family: str) -> None:
    direct = O_DIRECT[machine]
    assert called(machine, family, "openat", AT_FDCWD, 1, direct) == ERRNO | errno.EINVAL
    assert called(machine, family, "openat", AT_FDCWD, 1, O_DIRECTORY[machine] | CLOEXEC) == ALLOW
    assert called(machine, family, "fcntl", 1, F_SETFL, direct | 1) == ERRNO | errno.EINVAL
    assert called(machine, family, "fcntl", 1, F_SETFL, NONBLOCK) == ALLOW
    assert called(machine, family, "fcntl", 1, F_GETFL, direct) == ALLOW
    assert called(machine, family, "openat2", AT_FDCWD, 1, 1, 24) == ERRNO | errno.ENOSYS
    if machine == "x86_64":
        assert called(machine, family, "open", 1, direct) == ERRNO | errno.EINVAL


@every_guest
def test_calls_that_would_busy_the_disk_do_nothing_for_every_guest(machine: str, family: str) -> None:
    calls = ("sync", "syncfs", "fsync", "fdatasync", "sync_file_range", "fadvise64", "readahead")
    assert {called(machine, family, name, 3) for name in calls} == {NOOP}


@every_guest
def test_no_guest_locks_a_range(machine: str, family: str) -> None:
    pretended = {"python": {F_SETLK}, "javascript": {F_SETLK}, "java": {F_SETLK, F_SETLKW}}.get(family, set())
    for command in (F_SETLK, F_SETLKW):
        expected = NOOP if command in pretended else ERRNO | errno.ENOLCK
        assert called(machine, family, "fcntl", 3, command, 1) == expected
    assert {called(machine, family, "fcntl", 3, lock, 1) for lock in OFD_LOCKS} == {ERRNO | errno.EINVAL}
    assert called(machine, family, "fcntl", 3, F_SETLEASE, 1) == ERRNO | errno.EINVAL


@every_guest
@pytest.mark.parametrize("flags", [0, NONBLOCK, CLOEXEC, NONBLOCK | CLOEXEC])
def test_only_sockets_that_need_no_module_are_made(machine: str, family: str, flags: int) -> None:
    ordinary = {(UNIX, kind, 0) for kind in (STREAM, DATAGRAM, SEQUENTIAL)} | {
        (version, kind, protocol)
        for version in (INET, INET6)
        for kind, protocol in ((STREAM, 0), (STREAM, TCP), (DATAGRAM, 0), (DATAGRAM, UDP))
    }
    odd = {(UNIX, RAW, 0), (INET, SEQUENTIAL, 0), (INET, PACKET, 0), (INET, STREAM, UDP), (INET6, DATAGRAM, TCP)}
    odd |= {(INET, kind, protocol) for kind in range(16) for protocol in (ICMP, SCTP, 255)}
    odd |= {(INET, kind, protocol) for kind in (0, 4, *range(6, 16)) for protocol in (0, TCP, UDP)}
    made = {
        (version, kind, protocol)
        for version, kind, protocol in ordinary | odd
        if called(machine, family, "socket", version, kind | flags, protocol) == ALLOW
    }
    assert made == (set() if family == "compile" else ordinary)


@every_guest
def test_only_options_of_known_levels_are_set_and_none_that_changes_the_kernel(machine: str, family: str) -> None:
    ip, of_sockets, tcp, ipv6 = 0, 1, 6, 41
    reuse_address, no_delay, only_ipv6, encapsulation = 2, 1, 26, 100
    ordinary = {(ip, reuse_address), (of_sockets, reuse_address), (tcp, no_delay), (ipv6, only_ipv6)}
    programs_and_timestamps = {(of_sockets, option) for option in (26, 50, 51, 52, 29, 35, 37, 63, 64, 65)}
    unknown = {(level, encapsulation) for level in range(300) if level not in {ip, of_sockets, tcp, ipv6}}
    set_options = {
        (level, option)
        for level, option in ordinary | programs_and_timestamps | unknown
        if called(machine, family, "setsockopt", 3, level, option) == ALLOW
    }
    assert set_options == (set() if family == "compile" else ordinary)


@every_guest
def test_no_guest_gets_huge_pages_of_the_pool_or_shares_pages_by_content(machine: str, family: str) -> None:
    anonymous, from_pool, mergeable, whole = 0x22, 0x40000, 12, 14
    assert called(machine, family, "mmap", 0, 1 << 21, 3, anonymous) == ALLOW
    assert called(machine, family, "mmap", 0, 1 << 21, 3, anonymous | from_pool) == ERRNO | errno.ENOMEM
    assert called(machine, family, "madvise", 0, 1 << 21, mergeable) == ERRNO | errno.EINVAL
    assert called(machine, family, "madvise", 0, 1 << 21, whole) == ALLOW


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_memory_files_and_segments_are_not_of_the_pool(machine: str) -> None:
    for family in ("native", "python", "javascript"):
        assert called(machine, family, "memfd_create", 1, 1) == ALLOW
        assert called(machine, family, "memfd_create", 1, 4) == ERRNO | errno.ENOSYS
    assert called(machine, "native", "shmget", 0, 1 << 21, 0o4000) == ERRNO | errno.ENOMEM


@every_guest
def test_the_layout_of_files_and_the_loading_of_modules_are_no_controls(machine: str, family: str) -> None:
    fiemap, of_a_bridge, of_vlans, window_size = 0xC020660B, 0x8940, 0x8982, 0x5413
    assert {called(machine, family, "ioctl", 3, request) for request in (fiemap, of_a_bridge, of_vlans)} == {
        ERRNO | errno.ENOTTY
    }
    assert called(machine, family, "ioctl", 3, window_size) == ALLOW
