"""Slots share the CPUs equally, however many sessions a program opens, and the runner comes before all of them."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailSpec, Limits, Slot, SlotConfig, open_slot
from sandbox_runtime.jail.controls.cgroup import v1, v2
from tests.jail.slots import PYTHON
from tests.until import until

SESSIONS = 16
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
# Busy on all CPUs. A shell, because an interpreter takes long to start on its small share.
HONEST = " & ".join(["while :; do :; done"] * (os.cpu_count() or 1))
BUSY = "while True: pass"
BEGUN_USEC, WINDOW_USEC = 100_000, 1_600_000


@contextmanager
def running(name: str, index: int, *argv: str) -> Iterator[Slot]:
    """A slot in which this program runs until the end."""
    cancel_fd = os.eventfd(0)
    with open_slot(SlotConfig(name, index)) as slot:
        thread = threading.Thread(target=lambda: slot.run(JailSpec(argv, LIMITS), cancel_fd=cancel_fd))
        thread.start()
        try:
            yield slot
        finally:
            os.eventfd_write(cancel_fd, 1)
            thread.join()
            os.close(cancel_fd)


@contextmanager
def hostile_run() -> Iterator[Slot]:
    with running("hostile", 58, PYTHON, "-c", HOSTILE) as slot:
        until(lambda: slot._groups.read().process_count > SESSIONS)
        yield slot


def share(usec: Callable[[], int], hostile: Slot) -> float:
    """CPU time of one beside that of the hostile run in the same time: 1 is an equal share."""
    until(lambda: usec() > BEGUN_USEC)
    begin, taken_before = usec(), hostile._groups.cpu_usage_usec()

    def used() -> tuple[int, int]:
        return usec() - begin, hostile._groups.cpu_usage_usec() - taken_before

    until(lambda: sum(used()) >= WINDOW_USEC)
    own, others = used()
    return own / others


def share_of_honest_run() -> float:
    # The honest one first: beside so many it would start slowly, most of all in an emulated machine.
    with running("honest", 59, "/bin/sh", "-c", HONEST) as honest, hostile_run() as hostile:
        return share(honest._groups.cpu_usage_usec, hostile)


def test_many_sessions_leave_an_honest_run_its_share() -> None:
    assert share_of_honest_run() > 0.5


def test_without_groups_of_their_own_many_sessions_take_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v1, "make_cpu_share_v1", lambda *_: None)
    monkeypatch.setattr(v2, "make_cpu_share_v2", lambda _: False)
    assert share_of_honest_run() < 0.25


def test_processes_of_the_runner_get_more_than_all_programs_together() -> None:
    with hostile_run() as hostile, ExitStack() as stack:
        busy = []
        for _ in range(os.cpu_count() or 1):
            busy.append(stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY])))
            stack.callback(busy[-1].kill)

        def used_usec() -> int:
            return sum(int(Path(f"/proc/{one.pid}/schedstat").read_text().split()[0]) for one in busy) // 1000

        assert share(used_usec, hostile) > 1
