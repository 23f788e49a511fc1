"""One slot, a thousand runs, two tenants in turn, honest and hostile: each run is as if it were the first one."""

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import Slot, SlotConfig, StopReason, open_slot
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome
from tests.jail.hostile.host_state import host_state
from tests.jail.weakened.limits import SLOWNESS
from tests.jail.weakened.slots import WeakenedSlot

# Fewer on an emulated machine, and never so few that the kinds of programs did not follow each other often.
RUNS = max(100, int(os.environ.get("RUSTBOX_TEST_REUSES", "1000")))
MIB = 1 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LIMITS = Limits(
    cpu_time_secs=4 * SLOWNESS,
    wall_time_secs=10 * SLOWNESS,
    memory_bytes=48 * MIB,
    max_processes=6,
    max_open_files=32,
    max_file_bytes=2 * MIB,
    output_bytes=8192,
)
# Shows whatever an earlier run could have left, then leaves the same for the next one.
LOOK_AND_LEAVE = """
cat /tmp/* /dev/shm/* ./* /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null
ls -A /tmp /dev/shm .
for place in /tmp /dev/shm .; do echo $MARKER >$place/$MARKER; ln -s /etc/passwd $place/link; done
chmod 0 /tmp/$MARKER
"""
MARKER = re.compile(rb"marker-[ab]-\d+")


@dataclass(frozen=True)
class Kind:
    """A sort of program and what must come of it. `ends`: exit code, negative for a signal."""

    script: str
    ends: int | StopReason
    limits: Limits = LIMITS
    kills: bool = False
    refusals: bool = False
    cut: bool = False
    least_cpu_secs: float = 0.0


HONEST = Kind('read line; echo "$line"', 0)
KINDS = (
    HONEST,
    Kind("tail /dev/zero", StopReason.OOM_KILL, kills=True),
    HONEST,
    Kind("for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; exit 9", 2, refusals=True),
    HONEST,
    Kind("while :; do :; done", StopReason.CPU_LIMIT, replace(LIMITS, cpu_time_secs=0.05), least_cpu_secs=0.05),
    Kind("yes", 141, cut=True),
    Kind("setsid sleep 100 & exit 0", 0),
    HONEST,
    Kind("sleep 100", StopReason.WALL_LIMIT, replace(LIMITS, wall_time_secs=0.05 * SLOWNESS)),
    Kind("kill -SEGV $$", -11),
    Kind("for i in 1 2 3 4; do head -c 2M /dev/zero >/tmp/$i; done; kill -9 -1; kill -9 1; exit 7", 7),
    Kind("head -c 3M /dev/zero >big", 153),
    Kind("mkfifo /tmp/pipe; mkdir -p a/b/c; rm -rf /box; exec 0<&- 1>&- 2>&-; exit 5", 5),
)


def spec(kind: Kind, marker: str) -> JailSpec:
    return JailSpec(
        argv=("/bin/sh", "-c", LOOK_AND_LEAVE + kind.script),
        limits=kind.limits,
        environment=(("PATH", "/usr/bin:/bin"), ("MARKER", marker)),
        stdin=f"{marker}\n".encode(),
    )


def check(kind: Kind, outcome: Outcome, marker: str) -> None:
    """The outcome is the kind's, and nothing in it is another run's."""
    ended = outcome.exit_code if outcome.signal is None else -outcome.signal
    assert (outcome.stop_reason if ended is None else ended) == kind.ends, (kind, outcome)
    assert set(MARKER.findall(outcome.stdout + outcome.stderr)) <= {marker.encode()}
    if kind is HONEST:
        assert outcome.stdout.endswith(f"\n{marker}\n".encode()), outcome
        assert outcome.stderr == b""
    usage = outcome.evidence.cgroup
    assert usage is not None
    assert (usage.oom_kill_events > 0) == kind.kills, (kind, usage)
    assert (usage.fork_refusals > 0) == kind.refusals, (kind, usage)
    assert outcome.stdout_cut == kind.cut
    assert usage.process_count == 0
    assert usage.process_limit == kind.limits.max_processes
    assert kind.least_cpu_secs <= outcome.cpu_usec / 1e6 < kind.limits.cpu_time_secs + 0.5 * SLOWNESS, (kind, outcome)
    if kind is HONEST:
        assert outcome.cpu_usec < 500_000 * SLOWNESS, "its own time, not the slot's"
        assert usage.memory_peak_bytes < 24 * MIB, "its own memory, not the slot's"
    assert not outcome.evidence.controls_missing
    assert outcome.evidence.cleanup_verified


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def mean(values: list[int]) -> float:
    return sum(values) / len(values)


@pytest.fixture
def own_slot() -> Iterator[Slot]:
    with open_slot(SlotConfig("reuse", 20)) as opened:
        yield opened


@pytest.mark.timeout(300 * SLOWNESS)
def test_many_runs_of_two_tenants_know_nothing_of_each_other_and_leave_nothing(own_slot: Slot) -> None:
    template = own_slot.template_pid
    own_slot.run(spec(HONEST, "marker-a-0"))
    before, threads = host_state(own_slot), threading.active_count()
    resident: list[tuple[int, int]] = []
    for number in range(RUNS):
        # Tenants take turns; the kinds shift against them, so that each follows each.
        kind = KINDS[(number + number // len(KINDS)) % len(KINDS)]
        marker = f"marker-{'ab'[number % 2]}-{number}"
        check(kind, own_slot.run(spec(kind, marker)), marker)
        resident.append((resident_bytes(os.getpid()), resident_bytes(template)))
        if number % 100 == 0:
            assert host_state(own_slot) == before
    assert host_state(own_slot) == before
    assert threading.active_count() == threads
    quarter = RUNS // 4
    for name, sizes in zip(("supervisor", "template"), zip(*resident, strict=True), strict=True):
        growth = mean(list(sizes[-quarter:])) - mean(list(sizes[:quarter]))
        assert growth < MIB, f"{name} grew by {growth} bytes"


def test_without_mounts_of_its_own_a_run_would_show_the_markers_of_the_one_before() -> None:
    with WeakenedSlot(SlotConfig("shared-mounts", 21), "private_mounts") as shared:
        first = shared.run(spec(HONEST, "marker-a-1"))
        second = shared.run(spec(HONEST, "marker-b-2"))
    assert set(MARKER.findall(first.stdout)) == {b"marker-a-1"}
    assert set(MARKER.findall(second.stdout)) == {b"marker-a-1", b"marker-b-2"}
