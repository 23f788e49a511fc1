"""The launcher replaces children that die and stops them in order. It is a process of its own here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.settings import ROOT

_PROGRAM = """
import os, signal, sys, threading, time
from infra.local.console import Console
from infra.local.processes.child_processes import DRAIN_SIGNAL, Child, ChildProcesses, unblock_signals

def tell(text):
    os.write(1, f"{text} {os.getpid()}\\n".encode())

def child(name):
    def run(drained):
        drain, end = threading.Event(), threading.Event()
        signal.signal(DRAIN_SIGNAL, lambda *_: drain.set())
        signal.signal(signal.SIGTERM, lambda *_: end.set())
        given_up = threading.Event()
        signal.signal(signal.SIGUSR2, lambda *_: given_up.set())
        unblock_signals()
        tell(f"{name} started")
        if name == "fails":
            raise SystemExit(3)
        if name == "gives up":
            while not given_up.is_set():
                time.sleep(0.01)
            return 4
        while not end.is_set():
            if drain.is_set():
                drain.clear()
                time.sleep(0.2)
                tell(f"{name} drained")
                os.close(drained)
            time.sleep(0.01)
        tell(f"{name} ended")
        return 0
    return run

names = sys.argv[1:]
children = [Child(name, child(name)) for name in names[1:]]
then = Child(names[0], child(names[0]), is_hopeless=lambda code: code == 4)
then.start()
stack = ChildProcesses(children, [then], lambda: tell("released"), Console(sys.stderr))
code = stack.run()
tell("launcher ended")
sys.exit(code)
"""


class Launched:
    """A launcher with children of these names, the first of which ends in between."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.out, self.log = folder / "out", folder / "log"
        with self.out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *names], cwd=ROOT, stdout=out, stderr=log, start_new_session=True
            )

    def told(self) -> list[tuple[str, int]]:
        lines = [line.rpartition(" ") for line in self.out.read_text().splitlines()]
        return [(text, int(pid)) for text, _, pid in lines]

    def pids(self, text: str) -> list[int]:
        return [pid for found, pid in self.told() if found == text]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, (self.told(), self.log.read_text())
            time.sleep(0.02)


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    made: list[Launched] = []

    def make(*names: str) -> Launched:
        made.append(Launched(tmp_path, *names))
        return made[-1]

    yield make
    for found in made:
        found.process.kill()
        found.process.wait()


def test_a_stop_drains_first_and_ends_the_drained_last(launched: Callable[..., Launched]) -> None:
    stack = launched("middle", "first", "second")
    stack.wait_for(lambda: len([text for text, _ in stack.told() if text.endswith("started")]) == 3)
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(30) == 0
    told = [text for text, _ in stack.told()][3:]
    assert told[0] == "released"
    assert set(told[1:3]) == {"first drained", "second drained"}
    assert told[3] == "middle ended"
    assert set(told[4:6]) == {"first ended", "second ended"}
    assert told[6:] == ["launcher ended"]


def test_a_killed_child_is_replaced(launched: Callable[..., Launched]) -> None:
    stack = launched("middle", "first")
    stack.wait_for(lambda: bool(stack.pids("first started") and stack.pids("middle started")))
    (killed,) = stack.pids("first started")
    os.kill(killed, signal.SIGKILL)
    stack.wait_for(lambda: len(stack.pids("first started")) == 2)
    assert f"first {killed} ended (signal 9): starting another" in stack.log.read_text()
    assert len(stack.pids("middle started")) == 1


def test_a_child_that_ends_at_once_is_started_ever_more_rarely(launched: Callable[..., Launched]) -> None:
    stack = launched("middle", "fails")
    stack.wait_for(lambda: len(stack.pids("fails started")) == 3)
    log = stack.log.read_text()
    assert "ended (exit code 1): starting another in 0.5 s" in log
    assert "ended (exit code 1): starting another in 1 s" in log
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(30) == 0


def test_a_child_that_gives_up_ends_the_stack(launched: Callable[..., Launched]) -> None:
    stack = launched("gives up", "first")
    stack.wait_for(lambda: bool(stack.pids("first started") and stack.pids("gives up started")))
    os.kill(stack.pids("gives up started")[0], signal.SIGUSR2)
    assert stack.process.wait(30) == 1
    assert len(stack.pids("gives up started")) == 1
    assert [text for text, _ in stack.told()][-2:] == ["first ended", "launcher ended"]


def test_children_die_with_a_killed_launcher(launched: Callable[..., Launched]) -> None:
    stack = launched("middle", "first")
    stack.wait_for(lambda: bool(stack.pids("first started") and stack.pids("middle started")))
    pids = [pid for _, pid in stack.told()]
    stack.process.kill()
    stack.process.wait()
    stack.wait_for(lambda: not any(is_running(pid) for pid in pids))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False
