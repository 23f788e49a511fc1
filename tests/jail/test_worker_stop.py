"""A worker that is stopped before it works removes its groups, as one does that has worked."""

import os
import subprocess
import sys
from pathlib import Path

from tests.until import until

QUEUES = ("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL")
SETTINGS = dict.fromkeys(QUEUES, "http://127.0.0.1:9/none") | {"PAYLOADS_BUCKET": "none", "SLOTS": "8"}


def test_a_worker_that_is_stopped_while_it_opens_slots_leaves_no_groups() -> None:
    command = [sys.executable, "-m", "sandbox_runtime", "worker"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, env=os.environ | SETTINGS, stderr=subprocess.DEVNULL) as worker:
        groups = f"**/rustbox-*-{worker.pid}-*"
        until(lambda: list(Path("/sys/fs/cgroup").glob(f"{groups}/slot-0")))
        worker.terminate()
        assert worker.wait(120) == 0
    assert not list(Path("/sys/fs/cgroup").glob(groups))
