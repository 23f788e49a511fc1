"""A guest starts with default signals and an ordinary priority, whatever the runner inherited."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox_runtime.executor import execute
from sandbox_runtime.jail import open_slot
from sandbox_runtime.languages import Language, binds, warm_start
from tests.guest_files import guest
from tests.jail import slots
from tests.jail.guest_requests import request

ROOT = Path(__file__).parents[2]
# What nohup, a shell's background job and a careless service manager leave behind, and more.
LAUNCHER = """
import contextlib, os, signal, sys
with contextlib.suppress(PermissionError):  # a container may not have the capability, and then no runner in it has
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "sandbox_runtime", "run", *sys.argv[1:]])
"""
IN_PYTHON = guest("inherited/signals.py")
IN_C = guest("inherited/signals.c")
PRIORITY = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
# The two that an interpreter itself ignores.
OF_PYTHON = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)


def run(source: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", LAUNCHER, *arguments, str(source)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("name", "code", "ignored"), [("a.py", IN_PYTHON, OF_PYTHON), ("a.c", IN_C, 0)], ids=["python", "c"]
)
def test_ignored_and_blocked_signals_of_the_runner_do_not_reach_a_guest(
    tmp_path: Path, name: str, code: str, ignored: int
) -> None:
    source = tmp_path / name
    source.write_text(code)
    done = run(source)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [ignored, 0, True]


def test_a_real_time_runner_starts_its_guests_as_ordinary_processes(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text(PRIORITY)
    done = run(source)
    assert (done.stdout.decode(), done.returncode) == (f"{os.SCHED_OTHER} 0\n", 0), done.stderr


def test_limits_hold_under_a_runner_that_ignores_every_signal(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("while True: pass")
    assert run(source, "--cpu-time-secs", "0.3").returncode == 124


@pytest.fixture
def careless_process() -> Iterator[None]:
    """Ignore and block signals in this process, as one that a shell started in the background does, and more."""
    ignored = {signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGRTMAX}
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2, signal.SIGRTMIN})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("careless_process")
def test_inherited_signals_do_not_reach_a_slot_of_a_worker(languages: Mapping[str, Language]) -> None:
    mounts, warm = binds(tuple(languages.values()), slots.TOOLCHAINS), warm_start(languages.values())
    with open_slot(slots.slot_config("signals", 3, mounts, warm=warm)) as slot:
        for name, code, ignored in (("python", IN_PYTHON, OF_PYTHON), ("c", IN_C, 0)):
            asked = request(name, code.encode())
            completed = execute(slot, asked, languages[name], node_id="tests", started_at=datetime.now(UTC))
            assert json.loads(completed.stdout.inline) == [ignored, 0, True]
