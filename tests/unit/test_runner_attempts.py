"""A run that lost its time to others runs once more; a sleeper, a spinner and a second loss do not."""

import os
import socket
from pathlib import Path

import pytest

from sandbox_runtime.classify import Phase
from sandbox_runtime.executor import ExecutionCancelledError, attempts, slot_is_suspect
from sandbox_runtime.executor.attempts import Attempts, await_calm
from sandbox_runtime.executor.report import result
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome, StopReason
from tests.runner_doubles import CANCELLED, CLEAN, RecordedSlot, outcome

WALL_USEC = 5_000_000
SPEC = JailSpec(("/usr/bin/true",), Limits(1, 5, 64 << 20, 4, 16, 1 << 20, 1000))


def late(cpu_wait_usec: int = 0) -> Outcome:
    return outcome(
        exit_code=None,
        stop_reason=StopReason.WALL_LIMIT,
        wall_usec=WALL_USEC,
        cpu_wait_usec=cpu_wait_usec,
    )


LOST, SLEPT = late(WALL_USEC // 20), late(WALL_USEC // 20 - 1)
SPUN = outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT, wall_usec=WALL_USEC, cpu_wait_usec=WALL_USEC // 2)
SLOW = outcome(wall_usec=WALL_USEC - 1, cpu_wait_usec=WALL_USEC // 2)


@pytest.fixture
def loadavg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/proc/loadavg of a calm host."""
    path = tmp_path / "loadavg"
    path.write_text("0.00 0.01 0.05 1/123 4567\n")
    monkeypatch.setattr(attempts, "_LOADAVG", path)
    return path


@pytest.mark.parametrize(
    ("outcomes", "runs", "verdict", "cause"),
    [
        ([CLEAN], 1, "AC", "normal_exit"),
        ([SLEPT], 1, "TLE", "tle_wall_judge"),
        ([SPUN], 1, "TLE", "tle_cpu_judge"),
        ([SLOW], 1, "AC", "normal_exit"),
        ([LOST, CLEAN], 2, "AC", "normal_exit"),
        ([LOST, SLEPT], 2, "TLE", "tle_wall_judge"),
        ([LOST, SPUN], 2, "TLE", "tle_cpu_judge"),
        ([LOST, LOST], 2, "IE", "ie_host_overloaded"),
    ],
)
def test_a_run_is_repeated_once_and_only_for_time_lost_to_others(
    loadavg: Path, outcomes: list[Outcome], runs: int, verdict: str, cause: str
) -> None:
    assert loadavg.exists()
    slot = RecordedSlot(*outcomes)
    counted, found = Attempts(slot, None).run(SPEC, Phase.RUN)
    assert (len(slot.specs), found.verdict, found.cause) == (runs, verdict, cause)
    assert counted is outcomes[-1], "times are those of the run that counts"
    assert not slot_is_suspect(result(found))


def test_a_request_has_one_repetition_for_all_its_steps(loadavg: Path) -> None:
    assert loadavg.exists()
    slot = RecordedSlot(LOST, CLEAN, LOST)
    both = Attempts(slot, None)
    assert both.run(SPEC, Phase.COMPILE)[0] is CLEAN
    assert both.run(SPEC, Phase.RUN)[1].cause == "ie_host_overloaded"
    assert len(slot.specs) == 3


def test_a_drain_ends_the_wait_for_a_calm_host(loadavg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loadavg.write_text("90.00 90.01 90.05 1000000/1000001 4567\n")
    monkeypatch.setattr(attempts, "_LONGEST_WAIT_SECS", 3600)
    read_end, write_end = socket.socketpair()
    with read_end, write_end:
        write_end.send(b"x")
        with pytest.raises(ExecutionCancelledError):
            Attempts(RecordedSlot(LOST, CANCELLED), read_end.fileno()).run(SPEC, Phase.RUN)


def test_the_wait_for_a_calm_host_is_bounded(loadavg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await_calm(None)
    loadavg.write_text(f"90.00 90.01 90.05 {(os.cpu_count() or 1) + 1}/1000 4567\n")
    monkeypatch.setattr(attempts, "_LONGEST_WAIT_SECS", 0.2)
    assert not await_calm(None)
