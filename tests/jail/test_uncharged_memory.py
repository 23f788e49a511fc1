"""For each kind of kernel object: what the host lost to a guest that held all it could get, and what its group counted.

Others work on the host meanwhile and take memory and CPU time for themselves, so up to five measurements are made: a
kind that the group is not charged for is above the bound in each of them.
"""

import os
import re
import statistics
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, Slot, SlotConfig
from sandbox_runtime.jail.spec import GuestFile, JailSpec, Limits, Outcome, StopReason
from sandbox_runtime.languages import Language, compile_spec
from tests.jail.weakened.limits import SLOWNESS
from tests.jail.weakened.slots import WeakenedSlot

SOURCE = Path(__file__).parents[1] / "guests" / "workloads" / "kernel_objects.c"
KINDS = re.findall(r'\{"(\w+)", \w+\}', SOURCE.read_text())
MIB = 1 << 20
HOLD_SECS = 3 * SLOWNESS
# A guest that has used no CPU time for so many looks has taken all that it could get.
QUIET_LOOKS = 20
ATTEMPTS = 5
# A quarter of the guest's memory. Before Linux 5.15 nobody is charged for waiting signals (RLIMIT_SIGPENDING).
UNCHARGED_MIB = 64
LIMITS = Limits(
    cpu_time_secs=HOLD_SECS * 2,
    wall_time_secs=HOLD_SECS,
    memory_bytes=256 * MIB,
    max_processes=64,
    max_open_files=64,
    max_file_bytes=16 * MIB,
    output_bytes=MIB,
)
ENDS = {
    StopReason.CANCELLED,
    StopReason.WALL_LIMIT,
    StopReason.HOST_OVERLOADED,
    StopReason.OOM_KILL,
    StopReason.CPU_LIMIT,
}


@pytest.fixture(scope="module")
def taker(slot: Slot, languages: Mapping[str, Language]) -> bytes:
    """The compiled program."""
    c = languages["c"]
    assert c.compile is not None
    compiled = slot.run(compile_spec(c, c.compile, SOURCE.read_bytes()))
    assert compiled.artifact is not None, compiled.stderr
    return compiled.artifact


def _kernel_bytes() -> int:
    """Return the memory that the kernel itself holds: no pages of programs or files, nothing reclaimable."""
    found = dict(re.findall(r"(\w+): +(\d+) kB", Path("/proc/meminfo").read_text()))
    others = ("MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "SReclaimable")
    return int(found["MemTotal"]) - sum(int(found[name]) for name in others) << 10


def _looks(count: int) -> list[int]:
    found = []
    for _ in range(count):
        found.append(_kernel_bytes())
        time.sleep(0.02)
    return found


def uncharged_mib(slot: Slot, program: bytes, kind: str, limits: Limits = LIMITS) -> tuple[float, Outcome]:
    """Return the memory that the host lost beyond the group's count, and the outcome of the run that held it.

    Cancels the run once the guest only holds what it has. A run whose limits are not `LIMITS` also ends as soon as the
    host has lost too much.
    """
    outcomes: list[Outcome] = []
    files = (GuestFile("taker", program, executable=True),)
    spec = JailSpec(("/box/taker",), limits, stdin=kind.encode(), files=files)
    cancel = os.eventfd(0)
    before = statistics.median(_looks(15))
    run = threading.Thread(target=lambda: outcomes.append(slot.run(spec, cancel_fd=cancel)))
    run.start()
    taken, counted, used_usec, most = [], [0], [], 0.0
    while run.is_alive():
        taken.append(_kernel_bytes())
        with suppress(JailError):  # the slot is making the group anew
            counted.append(slot._groups.read().memory_now_bytes)
            used_usec.append(slot._groups.cpu_usage_usec())
        most = max(most, statistics.median(taken[-5:]) - before)
        is_quiet = len(used_usec) > QUIET_LOOKS and used_usec[-QUIET_LOOKS] == used_usec[-1]
        if is_quiet or (limits is not LIMITS and most - max(counted) > UNCHARGED_MIB * MIB):
            os.eventfd_write(cancel, 1)
        run.join(0.02)
    os.close(cancel)
    return (most - max(counted)) / MIB, outcomes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_group_is_charged_for_kernel_memory(slot: Slot, taker: bytes, kind: str) -> None:
    found: list[str] = []
    for _ in range(ATTEMPTS):
        uncharged, outcome = uncharged_mib(slot, taker, kind)
        assert outcome.stop_reason in ENDS, outcome
        # A guest that got no CPU time for a while looks like one that has taken all.
        has_taken_all = bool(outcome.stdout) or outcome.stop_reason is not StopReason.CANCELLED
        if has_taken_all and uncharged <= UNCHARGED_MIB:
            return
        found.append(f"{uncharged:.0f} MiB, {'all' if has_taken_all else 'not all'} taken")
    pytest.fail(f"the host lost more than {UNCHARGED_MIB} MiB, or never all was taken: {found}")


def test_no_group_is_charged_for_range_locks(taker: bytes) -> None:
    with WeakenedSlot(SlotConfig("uncharged", 42), "seccomp") as slot:
        patient = replace(LIMITS, cpu_time_secs=60 * SLOWNESS, wall_time_secs=120 * SLOWNESS)
        found = [uncharged_mib(slot, taker, "locks_of_ranges", patient)[0] for _ in range(3)]
    assert min(found) > UNCHARGED_MIB, "the test above could not tell"
