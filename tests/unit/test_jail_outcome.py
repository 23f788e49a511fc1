"""Why a run counts as stopped, whatever the supervisor came too late for."""

from typing import Any

import pytest

from sandbox_runtime.jail import Limits, StopReason
from sandbox_runtime.jail.supervisor.slot import decided_stop
from sandbox_runtime.jail.supervisor.watch import Observation

LIMITS = Limits(1, 0.5, 64 << 20, 4, 16, 1 << 20, 1000)
REPORT: dict[str, Any] = {"at_ns": 0}


@pytest.mark.parametrize(
    ("observed", "oom_kills", "cpu_usec", "wall_ns", "expected"),
    [
        (Observation(ready=REPORT, ended=REPORT), 0, 999_999, 499_999_999, StopReason.NONE),
        (Observation(ready=REPORT, ended=REPORT), 0, 0, 500_000_000, StopReason.WALL_LIMIT),
        (Observation(ready=REPORT, ended=REPORT), 0, 1_000_000, 500_000_000, StopReason.CPU_LIMIT),
        # Time in which others had the CPUs is not its own, unless it is as little as the error of the measure.
        (Observation(ready=REPORT, ended=REPORT, cpu_wait_usec=500_001), 0, 0, 10**9, StopReason.NONE),
        (Observation(ready=REPORT, ended=REPORT, cpu_wait_usec=500_000), 0, 0, 10**9, StopReason.WALL_LIMIT),
        (Observation(ready=REPORT, ended=REPORT, cpu_wait_usec=24_999), 0, 0, 500_000_000, StopReason.WALL_LIMIT),
        (Observation(ready=REPORT, ended=REPORT), 1, 1_000_000, 500_000_000, StopReason.OOM_KILL),
        (Observation(ready=REPORT, ended=REPORT, stop_reason=StopReason.CPU_LIMIT), 0, 0, 10**9, StopReason.CPU_LIMIT),
        (Observation(ready=REPORT, stop_reason=StopReason.CANCELLED), 1, 10**6, 10**9, StopReason.CANCELLED),
        # Before the program was one, and when its end was never seen, nobody can say that it was too slow.
        (Observation(ended=REPORT), 0, 10**6, 10**9, StopReason.NONE),
        (Observation(ready=REPORT), 0, 10**6, 10**9, StopReason.NONE),
    ],
)
def test_the_stop_reason_of_a_run(
    observed: Observation, oom_kills: int, cpu_usec: int, wall_ns: int, expected: StopReason
) -> None:
    assert decided_stop(observed, oom_kills, cpu_usec, wall_ns, LIMITS) is expected
