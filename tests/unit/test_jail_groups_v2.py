"""cgroup v2 over a tree of plain files that the test writes: what differs between kernels, and what goes wrong.

The real kernel's tree is in `make test-vm`. Plain directories with files in them cannot be removed, like groups
in which a process is still dying.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, Limits
from sandbox_runtime.jail.controls.cgroup import interface
from sandbox_runtime.jail.controls.cgroup.v2 import GroupsV2

LIMITS = Limits(1, 1, 64 << 20, 4, 16, 1 << 20, 1000)
FILES = {
    "pids.max": "max\n",
    "pids.current": "0\n",
    "pids.events": "max 0\n",
    "memory.current": "0\n",
    "memory.stat": "anon 0\nshmem 0\n",
    "init/cgroup.procs": "",
    "program/cgroup.procs": "",
    "program/memory.max": "max\n",
    "program/memory.peak": "4096\n",
    "program/memory.current": "0\n",
    "program/memory.events": "oom 0\noom_kill 0\n",
    "program/memory.stat": "anon 0\nshmem 0\n",
    "program/memory.swap.max": "max\n",
    "program/cpu.stat": "usage_usec 5\n",
    "program/pids.events": "max 0\n",
}
SWAPS = "Filename Type Size Used Priority\n"


@pytest.fixture
def slot(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "runner" / "slot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "runner" / "slot"


def opened(slot: Path) -> GroupsV2:
    return GroupsV2(slot.parents[1], "runner/slot")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_preferred_slot_has_the_most_weight(slot: Path) -> None:
    (slot / "cpu.weight").write_text("100\n")
    groups = opened(slot)
    groups.prefer()
    assert (slot / "cpu.weight").read_text() == "10000"
    with suppress(JailError):
        groups.close()


@pytest.mark.parametrize(
    ("limits_group", "forking_group", "since"),
    [("max 3\n", "max 0\n", "6.11"), ("max 0\n", "max 3\n", "4.3"), ("", "max 3\n", "4.3, with nothing in the other")],
)
def test_a_refused_fork_is_seen_wherever_the_kernel_counts_it(
    slot: Path, monkeypatch: pytest.MonkeyPatch, limits_group: str, forking_group: str, since: str
) -> None:
    refuse_to_write_to("memory.peak", monkeypatch)  # a plain file would keep the word that resets it
    groups = opened(slot)
    (slot / "pids.events").write_text(limits_group)
    (slot / "program" / "pids.events").write_text(forking_group)
    assert groups.read().fork_refusals == 3


def test_kills_and_hits_of_the_own_limit_are_counted_apart(slot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_write_to("memory.peak", monkeypatch)
    groups = opened(slot)
    (slot / "program" / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n")
    found = groups.read()
    assert (found.oom_kills, found.limit_hits) == (3, 2)


def refuse_to_write_to(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel does to a user without CAP_DAC_OVERRIDE; these tests have it."""
    open_file = os.open

    def refuse(path: str | Path, flags: int, *rest: int) -> int:
        if str(path).endswith(name) and flags & (os.O_RDWR | os.O_WRONLY):
            raise PermissionError(errno.EACCES, "refused", str(path))
        return open_file(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)


def test_a_peak_that_may_only_be_read_means_a_new_group_for_each_run(
    slot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_write_to("memory.peak", monkeypatch)
    made: list[Path] = []

    def rmdir(path: Path) -> None:
        made.append(path)

    monkeypatch.setattr(Path, "rmdir", rmdir)
    groups = opened(slot)
    before = descriptors()
    for _ in range(3):
        assert groups.prepare(LIMITS).memory_peak_bytes == 4096
    assert made == [slot / "program"] * 3
    assert descriptors() == before
    assert (slot / "program" / "memory.max").read_text().startswith(str(LIMITS.memory_bytes))


def test_groups_that_cannot_be_removed_yet_keep_no_descriptor(slot: Path) -> None:
    before = descriptors()
    groups = opened(slot)
    assert descriptors() > before
    with pytest.raises(JailError, match="remove cgroup"):
        groups.close()
    assert descriptors() == before


@pytest.mark.parametrize("missing", ["pids.max", "program/memory.peak", "program/cgroup.procs", "program/pids.events"])
def test_a_missing_file_is_a_failure_of_the_jail_and_leaks_no_descriptor(slot: Path, missing: str) -> None:
    (slot / missing).unlink()
    before = descriptors()
    with pytest.raises(JailError) as caught:
        opened(slot)
    assert (caught.value.step, caught.value.target.endswith(missing)) == ("create cgroup", True)
    assert descriptors() == before


@pytest.fixture
def set_swaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    swaps = tmp_path / "swaps"
    monkeypatch.setattr(interface, "_SWAPS", swaps)
    return swaps.write_text


def test_swap_that_no_group_can_limit_is_refused(slot: Path, set_swaps: Callable[[str], object]) -> None:
    set_swaps(SWAPS + "/dev/sda2 partition 1048572 0 -2\n")
    opened(slot)  # memory.swap.max is there
    (slot / "program" / "memory.swap.max").unlink()
    with pytest.raises(JailError, match="swapoff"):
        opened(slot)
    set_swaps(SWAPS)
    groups = opened(slot)
    set_swaps(SWAPS + "/swap file 1048572 0 -2\n")
    with pytest.raises(JailError, match="swapoff"):
        groups.prepare(LIMITS)


def test_a_host_that_does_not_tell_its_swap_is_refused(slot: Path, set_swaps: Callable[[str], object]) -> None:
    (slot / "program" / "memory.swap.max").unlink()
    with pytest.raises(JailError, match="look for swap"):
        opened(slot)
