"""Requests that are hostile by their limits or by what their compiler leaves: an ordinary verdict, never our failure.

A JailError costs a slot and is tried again: whoever can cause one at will can keep a runner busy with reopening slots.
"""

from collections.abc import Callable

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.spec import GuestFile, JailSpec, Limits
from sandbox_runtime.languages import LANGUAGES
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.weakened.limits import SLOWNESS

TRIALS = {language.name: language.trial for language in LANGUAGES if language.name in CHOSEN_LANGUAGES}
LIMITS = Limits(4 * SLOWNESS, 20 * SLOWNESS, 64 << 20, 8, 32, 1 << 20, 4096)
ENDED_BY_ITSELF_OR_BY_A_LIMIT = {"AC", "RE", "TLE", "MLE", "PLE", "SIG"}


@pytest.mark.parametrize("name", TRIALS)
@pytest.mark.parametrize(
    "limits",
    [
        RequestedLimits(memory_mb=1, wall_time_secs=1),
        RequestedLimits(max_processes=1),
        RequestedLimits(cpu_time_secs=1e-300),
        RequestedLimits(wall_time_secs=1e-300),
        RequestedLimits(memory_mb=1, max_processes=1, cpu_time_secs=0.001, wall_time_secs=0.001, output_kb=1),
    ],
    ids=["memory", "processes", "cpu", "wall", "all"],
)
def test_the_smallest_limits_give_a_verdict(
    run: Callable[..., ExecutionCompleted], slot: Slot, name: str, limits: RequestedLimits
) -> None:
    completed = run(name, TRIALS[name], limits=limits)
    assert completed.result.verdict in ENDED_BY_ITSELF_OR_BY_A_LIMIT, completed
    assert slot.healthy
    canary = run("python", "print(42)")
    assert (canary.result.verdict, canary.stdout.inline) == ("AC", b"42\n")


@pytest.mark.parametrize("name", TRIALS)
def test_one_process_is_enough_for_a_program_that_starts_none(
    run: Callable[..., ExecutionCompleted], name: str
) -> None:
    verdict = run(name, TRIALS[name], limits=RequestedLimits(max_processes=1)).result.verdict
    assert verdict == ("PLE" if name in {"java", "go"} else "AC"), "the JVM and Go cannot do without threads"


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b"\x7fELF", b"!<arch>\n", b"#!/nowhere\n", b"#!/box/solution\n", b"text without a meaning"],
    ids=["empty", "zeros", "half-elf", "archive", "no-interpreter", "itself", "text"],
)
def test_a_program_that_cannot_start_is_the_guests_failure(slot: Slot, content: bytes) -> None:
    outcome = slot.run(
        JailSpec(argv=("/box/solution",), limits=LIMITS, files=(GuestFile("solution", content, executable=True),))
    )
    assert outcome.exit_code == 126, outcome
    assert outcome.stderr.startswith(b"solution: ")
    assert slot.healthy


def test_files_do_not_count_against_the_memory_of_the_guest(slot: Slot) -> None:
    spec = JailSpec(
        argv=("/bin/sh", "-c", "cat large | wc -c; head -c 500k /dev/zero >own && echo stored"),
        limits=Limits(4 * SLOWNESS, 20 * SLOWNESS, 4 << 20, 8, 32, 1 << 20, 4096),
        environment=(("PATH", "/usr/bin:/bin"),),
        files=(GuestFile("large", b"x" * (6 << 20)),),
    )
    assert slot.run(spec).stdout == b"6291456\nstored\n"
