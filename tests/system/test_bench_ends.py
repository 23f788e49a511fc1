"""A benchmark leaves no process behind, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import descendants
from infra.embedded.engine import identify, is_alive
from tests.system.local_stack import ROOT, wait_until

pytestmark = pytest.mark.whole

START_SECS = 90
END_SECS = 90


def identities(pid: int) -> set[str]:
    return {identify(below) for below in descendants(pid)}


@pytest.mark.timeout(START_SECS + END_SECS + 30)
def test_a_signal_ends_the_stack_and_removes_its_state(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--sections=memory,soak", f"--out={tmp_path}/never.json"]
    process = subprocess.Popen(
        # Where these tests run in the background of a shell, SIGINT is ignored, and the benchmark leaves it so.
        ["/usr/bin/env", "--default-signal=INT", *command],
        cwd=ROOT,
        # One language: its stack starts in half of the time.
        env={**os.environ, "TMPDIR": str(tmp_path), "RUSTBOX_PARAM_OfferedLanguages": "python"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: any(tmp_path.glob("*/state/runner/alive")), START_SECS, "a runner works")
        started = identities(process.pid)
        assert len(started) >= 3, "benchmark, launcher, runner"
        process.send_signal(signal.SIGINT)
        assert process.wait(END_SECS) == 128 + signal.SIGINT
        assert [found for found in started if is_alive(found)] == []
        assert list(tmp_path.iterdir()) == []
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(END_SECS)
