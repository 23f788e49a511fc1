"""The real cgroup v2 as an older kernel gives it: a peak that cannot be reset, so that each run gets a new group."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailSpec, Limits, Slot, StopReason, open_slot
from sandbox_runtime.jail.controls.cgroup.v2 import GroupsV2
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS

MIB = 1 << 20
LIMITS = Limits(5 * SLOWNESS, 20 * SLOWNESS, 64 * MIB, 4, 16, MIB, 1000)


def python(code: str) -> JailSpec:
    return JailSpec(argv=("/usr/bin/python3", "-c", code), limits=LIMITS)


@pytest.fixture
def slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    open_file = os.open

    def refuse(path: str | Path, flags: int, *rest: int, **options: int) -> int:
        if str(path).endswith("memory.peak") and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "refused", str(path))
        return open_file(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    with open_slot(slot_config("anew", 7)) as opened:
        assert isinstance(opened._groups, GroupsV2)
        assert not opened._groups._peak_resets
        yield opened


def test_each_run_has_counters_and_limits_of_its_own(slot: Slot) -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        large = slot.run(python("x = bytearray(40 << 20); print(len(x))"))
        killed = slot.run(python("x = bytearray(200 << 20)"))
        forks = slot.run(python("import os\nfor _ in range(9): os.fork() or os._exit(0)"))
        small = slot.run(python("print(1)"))
        assert (large.stdout, small.stdout) == (b"41943040\n", b"1\n")
        assert large.memory_peak_bytes > 40 * MIB > 30 * MIB > small.memory_peak_bytes
        assert (killed.stop_reason, small.stop_reason) == (StopReason.OOM_KILL, StopReason.NONE)
        usages = [outcome.evidence.cgroup for outcome in (large, killed, forks, small)]
        assert [usage is not None and usage.fork_refusals > 0 for usage in usages] == [False, False, True, False]
        assert [outcome.evidence.controls_missing for outcome in (large, killed, forks, small)] == [()] * 4
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
