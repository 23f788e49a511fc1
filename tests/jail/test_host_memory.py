"""A host that is short of memory: its own out-of-memory kills are no fault of the program, and the step runs again.

Here the host is the group around the groups of a slot, with a limit below that of the program.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from sandbox_runtime.executor import NO_CACHE, execute, step_runs
from sandbox_runtime.jail import JailSpec, Outcome, Slot, open_slot
from sandbox_runtime.judging import Setting
from sandbox_runtime.languages import Language, binds
from tests.jail.guest_requests import request
from tests.jail.judging.runs import begun, results
from tests.jail.slots import TOOLCHAINS, slot_config
from tests.judge_requests import case, judge_requested, no_object

MIB = 1 << 20
OVERLOADED = ("IE", "ie_host_overloaded")
OUT_OF_MEMORY = ("MLE", "mle_kernel_oom")
RIGHT = "print(len(bytearray(100 << 20)) >> 20)"
RIGHT_C = f"const int many[] = {{{'1,' * 100_000}}};\nint main() {{ return many[7] - 1; }}"
SHORT_MIB, COMPILERS_SHORT_MIB = 64, 12
MORE_MIB = 16  # the groups of earlier runs may hold some memory in the group around them


class ShortHost:
    """A slot below a group with a limit. `kills`: so many steps run with it; then the host has enough memory."""

    def __init__(self, slot: Slot, limit_mib: int, kills: int) -> None:
        groups: Any = slot._groups
        is_version_1 = groups.backend == "cgroup_v1"
        around = groups._slots["memory"] if is_version_1 else groups._slot
        self._file = around / ("memory.limit_in_bytes" if is_version_1 else "memory.max")
        self._no_limit = "-1" if is_version_1 else "max"
        self._slot, self._limit_mib, self._kills = slot, limit_mib, kills
        self.outcomes: list[Outcome] = []

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        self._slot.settle()
        is_short = len(self.outcomes) < self._kills
        self._file.write_text(str(self._limit_mib * MIB) if is_short else self._no_limit)
        self.outcomes.append(self._slot.answer(spec, cancel_fd=cancel_fd))
        self._file.write_text(self._no_limit)
        return self.outcomes[-1]


@pytest.fixture(scope="module")
def own_slot(languages: Mapping[str, Language]) -> Iterator[Slot]:
    with open_slot(slot_config("short", 57, binds(tuple(languages.values()), TOOLCHAINS))) as opened:
        yield opened


@pytest.fixture
def host(own_slot: Slot, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ShortHost]:
    monkeypatch.setattr(step_runs, "REPEAT_PAUSES_SECS", (0, 0))

    def make(limit_mib: int, kills: int = 1_000) -> ShortHost:
        return ShortHost(own_slot, limit_mib, kills)

    return make


def run(
    host: ShortHost,
    languages: Mapping[str, Language],
    code: str,
    language: str = "python",
    memory_mb: int | None = None,
) -> ExecutionCompleted:
    asked = request(language, code.encode(), limits=RequestedLimits(memory_mb=memory_mb))
    return execute(host, asked, languages[language], node_id="tests", started_at=datetime.now(UTC))


def no_output(_index: int, _output: bytes) -> str:
    raise AssertionError


def verdict(completed: ExecutionCompleted) -> tuple[str, str]:
    return completed.result.verdict, completed.result.cause


def test_a_kill_by_the_host_is_no_verdict_of_a_program(
    host: Callable[..., ShortHost], languages: Mapping[str, Language]
) -> None:
    short = host(SHORT_MIB)
    completed = run(short, languages, RIGHT)
    assert verdict(completed) == OVERLOADED
    assert len(short.outcomes) == 3, "it was run again"
    assert completed.evidence is not None
    assert completed.evidence.cgroup is not None
    assert (completed.evidence.cgroup.oom_events, completed.evidence.cgroup.oom_kill_events > 0) == (0, True)


def test_a_step_that_the_host_killed_is_run_again(
    host: Callable[..., ShortHost], languages: Mapping[str, Language]
) -> None:
    short = host(SHORT_MIB, kills=1)
    completed = run(short, languages, RIGHT)
    assert verdict(completed) == ("AC", "normal_exit")
    assert len(short.outcomes) == 2


@pytest.mark.parametrize(("kills", "expected"), [(1, ("AC", "normal_exit")), (1_000, OVERLOADED)])
def test_a_compiler_that_the_host_killed_is_run_again(
    host: Callable[..., ShortHost], languages: Mapping[str, Language], kills: int, expected: tuple[str, str]
) -> None:
    short = host(COMPILERS_SHORT_MIB, kills)
    completed = run(short, languages, RIGHT_C, "c")
    assert verdict(completed) == expected
    assert len(short.outcomes) == 3
    assert completed.result.phase == ("run" if kills == 1 else "compile")


@pytest.mark.parametrize(("kills", "expected"), [(1, "passed"), (1_000, "judge_error")])
def test_a_case_that_the_host_killed_is_judged_again(
    host: Callable[..., ShortHost], languages: Mapping[str, Language], kills: int, expected: str
) -> None:
    short = host(SHORT_MIB, kills)
    setting = Setting(
        "tests", languages, NO_CACHE, None, no_output, interactor_slot=lambda: nullcontext(short), read=no_object
    )
    judging = begun(judge_requested([case(expected=b"100")], code=RIGHT.encode()), setting)
    while not judging.is_over:
        judging.turn(short)
    (found,) = results(judging.completed())
    assert (found.outcome, len(short.outcomes)) == (expected, 2 if kills == 1 else 3)


def test_the_smallest_limit_is_the_programs_own(
    host: Callable[..., ShortHost], languages: Mapping[str, Language]
) -> None:
    """What the run before left in the group may be as much."""
    short = host(SHORT_MIB)
    for _ in range(3):
        run(short, languages, "")
        assert verdict(run(short, languages, "", memory_mb=1)) == OUT_OF_MEMORY
    assert len(short.outcomes) == 6


# Memory of each kind that a group counts: of the program, of a child, of files, of the kernel.
BOMBS = {
    "heap": "x = bytearray(1 << 30)",
    "small steps": "x = []\nwhile True: x.append(bytearray(5000))",
    "child": "import os\nif not os.fork(): x = bytearray(1 << 30)\nos.wait()",
    "files in memory": "for n in range(1000): open(f'/tmp/{n}', 'wb').write(bytes(1 << 19))",
    "shared memory": "import mmap\nx = mmap.mmap(-1, 1 << 30)\nfor at in range(0, 1 << 30, 4096): x[at] = 1",
    "page tables": "from mmap import *\nx = mmap(-1, 1 << 40, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)\n"
    "for at in range(0, 1 << 40, 1 << 21): x[at]",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_program_at_its_own_limit_is_mle_also_on_a_host_that_has_hardly_more(
    host: Callable[..., ShortHost], languages: Mapping[str, Language], bomb: str
) -> None:
    short = host(SHORT_MIB + MORE_MIB)
    completed = run(short, languages, BOMBS[bomb], memory_mb=SHORT_MIB)
    assert verdict(completed) == OUT_OF_MEMORY, completed
    assert len(short.outcomes) == 1
    assert completed.evidence is not None
    assert completed.evidence.cgroup is not None
    assert completed.evidence.cgroup.oom_events > 0
