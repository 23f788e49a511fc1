"""One slot, hundreds of runs, two tenants in turn, honest and hostile: each run is as if it were the first one."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox_runtime.jail import Slot, open_slot
from sandbox_runtime.languages import binds, prepare, warm_start
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.python import PYTHON
from tests.jail.hostile.host_state import host_state
from tests.jail.reuse.kinds import (
    FRESH,
    HONEST,
    MARKER,
    SERVED,
    Kind,
    check,
    followed,
    most_growth_bytes,
    play,
    prewarmed,
    runs,
)
from tests.jail.slots import TOOLCHAINS, slot_config
from tests.jail.weakened.limits import SLOWNESS
from tests.jail.weakened.slots import WeakenedSlot

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def mean(values: list[int]) -> float:
    return sum(values) / len(values)


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[Slot, Sequence[Kind]]]:
    """A slot, and the kinds of programs for it."""
    is_warm = request.param == "as served"
    prepare(C, TOOLCHAINS)
    config = slot_config("reuse", 20, binds([C], TOOLCHAINS), warm=warm_start([PYTHON]) if is_warm else None)
    with open_slot(config) as slot:
        yield slot, SERVED if is_warm else FRESH


@pytest.mark.timeout(300 * SLOWNESS)
@pytest.mark.parametrize("opened", ["fresh programs", "as served"], indirect=True)
def test_many_runs_of_two_tenants_know_nothing_of_each_other_and_leave_nothing(
    opened: tuple[Slot, Sequence[Kind]],
) -> None:
    slot, kinds = opened
    template, count = slot.template_pid, runs(kinds)
    play(slot, kinds[0], "marker-a-0")
    before, threads = host_state(slot), threading.active_count()
    resident: list[tuple[int, int]] = []
    for number in range(count):
        kind, marker = followed(kinds, number)
        if kinds is SERVED:
            slot.prewarm(prewarmed())  # as the service does behind each answer
        check(kind, play(slot, kind, marker), marker)
        resident.append((resident_bytes(os.getpid()), resident_bytes(template)))
        if number % 50 == 0:
            assert host_state(slot) == before
    assert host_state(slot) == before
    assert threading.active_count() == threads
    quarter = count // 4
    for name, sizes in zip(("supervisor", "template"), zip(*resident, strict=True), strict=True):
        growth = mean(list(sizes[-quarter:])) - mean(list(sizes[:quarter]))
        assert growth < most_growth_bytes(count), f"{name} grew by {growth} bytes"


@pytest.mark.parametrize("kind", [HONEST, SERVED[0]], ids=["fresh programs", "as served"])
def test_without_mounts_of_its_own_a_run_would_show_the_markers_of_the_one_before(kind: Kind) -> None:
    config = slot_config("shared-mounts", 21, warm=warm_start([PYTHON]))
    with ExitStack() as stack:
        shared = stack.enter_context(WeakenedSlot(config, "private_mounts"))
        first = play(shared, kind, "marker-a-1")
        second = play(shared, kind, "marker-b-2")
    assert set(MARKER.findall(first.stdout)) == {b"marker-a-1"}
    assert set(MARKER.findall(second.stdout)) == {b"marker-a-1", b"marker-b-2"}
