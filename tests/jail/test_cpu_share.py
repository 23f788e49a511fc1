"""Slots share the CPUs equally, however many sessions a program opens, and the runner comes before all of them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox_runtime.jail import JailSpec, Limits, Slot, SlotConfig, open_slot
from sandbox_runtime.jail.cgroup import cpu_share
from tests.jail.weakened.limits import SLOWNESS
from tests.until import until

SESSIONS = 60
LIMITS = Limits(
    cpu_time_secs=600,
    wall_time_secs=600,
    memory_bytes=256 << 20,
    max_processes=SESSIONS + 4,
    max_open_files=32,
    max_file_bytes=1 << 20,
    output_bytes=1000,
)
# The kernel's autogroups give each session as much of the CPUs as each other one.
HOSTILE = f"""
import os
for _ in range({SESSIONS}):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
while True:
    pass
"""
# Busy on all CPUs for a while; prints the CPU time that it got.
HONEST = f"""
import os, time
end = time.monotonic() + {2 + SLOWNESS // 5}
is_first = all([os.fork() for _ in range((os.cpu_count() - 1).bit_length())])
while time.monotonic() < end:
    pass
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
if is_first:
    print(sum(os.times()[:4]))
"""


def python(code: str) -> JailSpec:
    return JailSpec(argv=("/usr/bin/python3", "-c", code), limits=LIMITS)


@contextmanager
def hostile_run() -> Iterator[Slot]:
    """A slot in which all sessions spin until the end."""
    cancel_fd = os.eventfd(0)
    with open_slot(SlotConfig("hostile", 58)) as slot:
        thread = threading.Thread(target=lambda: slot.run(python(HOSTILE), cancel_fd=cancel_fd))
        thread.start()
        try:
            until(lambda: slot._groups.read().process_count > SESSIONS)
            yield slot
        finally:
            os.eventfd_write(cancel_fd, 1)
            thread.join()
            os.close(cancel_fd)


def share_of_honest_run() -> float:
    """Its CPU time beside that of the hostile run: 1 is an equal share."""
    with hostile_run() as hostile, open_slot(SlotConfig("honest", 59)) as slot:
        before_usec = hostile._groups.cpu_usage_usec()
        outcome = slot.run(python(HONEST))
        taken_usec = hostile._groups.cpu_usage_usec() - before_usec
    assert (outcome.exit_code, outcome.stderr) == (0, b"")
    assert outcome.cpu_usec >= float(outcome.stdout) * 1e6 * 0.9
    return outcome.cpu_usec / taken_usec


def test_sixty_sessions_leave_an_honest_run_its_share() -> None:
    assert share_of_honest_run() > 0.5


def test_without_groups_of_their_own_sixty_sessions_take_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_share, "make_share_v1", lambda *_: None)
    monkeypatch.setattr(cpu_share, "make_share_v2", lambda _: False)
    assert share_of_honest_run() < 0.25


def test_a_process_of_the_runner_gets_more_than_all_programs_together() -> None:
    with hostile_run() as hostile:
        before_usec = hostile._groups.cpu_usage_usec()
        runner = subprocess.run([sys.executable, "-c", HONEST], capture_output=True, check=True, start_new_session=True)
        taken_usec = hostile._groups.cpu_usage_usec() - before_usec
    assert float(runner.stdout) * 1e6 > taken_usec
