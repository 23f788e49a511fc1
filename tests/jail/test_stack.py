"""The stack of a program grows with its memory limit, and threads pay for it with address space only."""

from collections.abc import Callable

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from tests.completions import ended, streams
from tests.guest_files import guest, guests
from tests.jail.language_programs.table import NAMES, PROGRAMS

Run = Callable[..., ExecutionCompleted]

# Each searches a chain of 150,000 vertices in depth.
SEARCHES = guests("stack/searches")


@pytest.mark.parametrize("name", [name for name in SEARCHES if name in NAMES])
def test_a_search_of_150_000_frames_fits_the_default_limits(run: Run, name: str) -> None:
    completed = run(name, SEARCHES[name])
    assert (ended(completed)[0], streams(completed)[0]) == ("AC", b"150000\n"), completed


@pytest.mark.parametrize("name", [name for name in ("c", "java", "javascript") if name in NAMES])
def test_a_stack_may_be_lowered(run: Run, name: str) -> None:
    completed = run(name, SEARCHES[name], limits=RequestedLimits(stack_mb=1))
    assert ended(completed)[0] in {"SIG", "RE"}, completed


@pytest.mark.parametrize("name", [name for name in ("c", "java", "javascript") if name in NAMES])
def test_an_endless_recursion_ends_as_it_does_outside_with_the_most_memory(run: Run, name: str) -> None:
    """The agent profile has 1,024 MB, and a stack by it."""
    completed = run(name, PROGRAMS[name]["recursion"], profile="agent")
    assert ended(completed)[0] in {"SIG", "RE"}, completed


_THREADS = guest("stack/threads.c")


@pytest.mark.parametrize(("profile", "count"), [("judge", 6), ("agent", 30)])
@pytest.mark.skipif("c" not in NAMES, reason="the tests are told which toolchains this host has")
def test_many_threads_reserve_address_space_and_not_memory(run: Run, profile: str, count: int) -> None:
    completed = run("c", f"#define COUNT {count}\n{_THREADS}", profile=profile)
    assert (ended(completed)[0], streams(completed)[0]) == ("AC", b"done\n"), completed
    assert completed.metrics is not None
    assert completed.metrics.memory_peak_bytes < 64 << 20
