"""A control group and a clock of the test, for the supervisor."""

import time

import pytest

from sandbox_runtime.jail import Limits
from sandbox_runtime.jail.controls.cgroup import Counters
from sandbox_runtime.jail.controls.cgroup.interface import CommonGroups

MIB = 1 << 20


LIMITS = Limits(
    cpu_time_secs=1,
    wall_time_secs=100,
    memory_bytes=64 * MIB,
    max_processes=4,
    max_open_files=16,
    max_file_bytes=MIB,
    output_bytes=1000,
)


NOTHING = Counters(
    memory_now_bytes=0,
    memory_peak_bytes=0,
    oom_kills=0,
    limit_hits=0,
    cpu_usage_usec=0,
    process_count=1,
    fork_refusals=0,
)


class Groups(CommonGroups):
    """Counters as the test sets them."""

    backend = "cgroup_v2"
    shares_cpu = False
    membership_marker = ""
    init_entry_fds: tuple[int, ...] = ()
    program_entry_fds: tuple[int, ...] = ()
    oom_event: tuple[int, int] | None = None

    def __init__(self) -> None:
        self.counters = NOTHING
        self.threads: list[int] = []

    def acknowledge_oom_event(self) -> None:
        """Nothing to take."""

    def prefer(self) -> None:
        """Nothing to raise."""

    def prepare(self, limits: Limits) -> Counters:
        assert limits
        return self.counters

    def read(self) -> Counters:
        return self.counters

    def cpu_usage_usec(self) -> int:
        return self.counters.cpu_usage_usec

    def process_count(self) -> int:
        return self.counters.process_count

    def members(self) -> tuple[list[int], list[int]]:
        return [], self.threads

    def memory_pressure(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        """Nothing to remove."""


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000_000
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now_ns)

    def pass_ms(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * 1e6)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
