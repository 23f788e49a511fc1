"""Every run reports its own peak of memory and has its whole limit, whatever the run before left in the slot."""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from sandbox_runtime.jail import (
    BindMount,
    GuestFile,
    JailSpec,
    Limits,
    Slot,
    SlotConfig,
    StopReason,
    WarmStart,
    open_slot,
)
from sandbox_runtime.jail.controls.cgroup import v1, v2
from tests.choice import whole_but
from tests.guest_files import guests
from tests.jail.slots import PYTHON, PYTHON_FORK
from tests.jail.weakened.limits import SLOWNESS

MIB = 1 << 20
TOLERANCE_BYTES = 2 * MIB
COLD_BYTES = 100 * MIB
LARGE = Limits(10 * SLOWNESS, 30 * SLOWNESS, 512 * MIB, 16, 3000, 200 * MIB, 10_000)
ARGV = (PYTHON, "-u", "solution.py")

PREDECESSORS = guests("memory_peak")
# The last one's limit is little above what it needs.
SUCCESSORS = MappingProxyType({"small": (0, 256), "large": (120, 144)})


def spec(code: str, limits: Limits) -> JailSpec:
    return JailSpec(argv=ARGV, limits=limits, files=(GuestFile("solution.py", code.encode()),))


def successor(name: str) -> JailSpec:
    size_mib, limit_mib = SUCCESSORS[name]
    return spec(f"x = bytearray({size_mib} << 20)\nprint(len(x) >> 20)", replace(LARGE, memory_bytes=limit_mib * MIB))


def drop_cache(path: Path) -> None:
    """So that the next reader pays for the file's pages."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture(scope="module")
def cold_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:  # on a disk
        path = Path(place) / "data"
        with path.open("wb") as file:
            file.truncate(0)
            for _ in range(COLD_BYTES // MIB):
                file.write(os.urandom(4096) * (MIB // 4096))
            file.flush()
            os.fsync(file.fileno())
        Path(place).chmod(0o755)
        path.chmod(0o644)
        yield path


STARTS = ["fresh", "prewarmed"] if PYTHON_FORK else ["fresh"]


@pytest.fixture(scope="module", params=whole_but(STARTS, STARTS[-1:]))
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def slot(cold_file: Path, start: str) -> Iterator[Slot]:
    warm = WarmStart(argv=ARGV, environment=(), imports=()) if start == "prewarmed" else None
    with open_slot(SlotConfig("peaks", 22, (BindMount(str(cold_file.parent), "/opt/cold"),), warm=warm)) as opened:
        yield opened


def peak_of(slot: Slot, name: str, start: str) -> int:
    if start == "prewarmed":
        slot.prewarm(successor(name))
    outcome = slot.run(successor(name))
    assert (outcome.stop_reason, outcome.exit_code) == (StopReason.NONE, 0), outcome
    assert outcome.stdout == f"{SUCCESSORS[name][0]}\n".encode()
    return outcome.memory_peak_bytes


@pytest.fixture(scope="module")
def solo(slot: Slot, start: str) -> dict[str, int]:
    slot.run(successor("small"))  # files of the interpreter are in the page cache from here on
    found = {}
    for name, (size_mib, _) in SUCCESSORS.items():
        slot.run(successor("small"))
        found[name] = peak_of(slot, name, start)
        assert size_mib * MIB < found[name] < (size_mib + 24) * MIB
    return found


@pytest.mark.parametrize("predecessor", PREDECESSORS)
def test_a_run_has_the_peak_and_the_limit_that_it_has_alone(
    slot: Slot, solo: dict[str, int], cold_file: Path, predecessor: str, start: str
) -> None:
    for name, alone_bytes in solo.items():
        drop_cache(cold_file)
        before = slot.run(spec(PREDECESSORS[predecessor], LARGE))
        assert (before.stop_reason is StopReason.OOM_KILL) == (predecessor == "out_of_memory"), before
        assert before.exit_code == (None if predecessor == "out_of_memory" else 0), before.stderr
        assert before.memory_peak_bytes > 95 * MIB
        peak_bytes = peak_of(slot, name, start)
        assert abs(peak_bytes - alone_bytes) <= TOLERANCE_BYTES, (name, peak_bytes, alone_bytes)


def test_in_the_group_of_the_run_before_its_file_pages_are_part_of_the_peak(
    slot: Slot, solo: dict[str, int], cold_file: Path, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in (v1, v2):
        monkeypatch.setattr(backend, "HARMLESS_BYTES", sys.maxsize)
    drop_cache(cold_file)
    slot.run(spec(PREDECESSORS["page_cache"], LARGE))
    assert peak_of(slot, "small", start) > solo["small"] + 75 * MIB
