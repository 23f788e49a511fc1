"""A worker that is stopped before it works removes its groups, as one does that has worked."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from tests.until import until

QUEUES = ("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL")
SETTINGS = dict.fromkeys(QUEUES, "http://127.0.0.1:9/none") | {
    "PAYLOADS_BUCKET": "none",
    "SLOTS": "8",
    "LANGUAGES": "python",  # fewer are tried before the slots open
}
COMMAND = (sys.executable, "-m", "sandbox_runtime", "worker")
ROOT = Path(__file__).parents[2]


def test_a_worker_that_is_stopped_while_it_opens_slots_leaves_no_groups() -> None:
    with subprocess.Popen(COMMAND, cwd=ROOT, env=os.environ | SETTINGS, stderr=subprocess.DEVNULL) as worker:
        groups = f"**/rustbox-*-{worker.pid}-*"
        until(lambda: list(Path("/sys/fs/cgroup").glob(f"{groups}/slot-0")))
        worker.terminate()
        assert worker.wait(120) == 0
    assert not list(Path("/sys/fs/cgroup").glob(groups))


def test_a_worker_uses_as_many_descriptors_as_its_hard_limit_allows() -> None:
    command = ("prlimit", "--nofile=1024:4096", *COMMAND)
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | SETTINGS, stderr=subprocess.DEVNULL) as worker:
        until(lambda: resource.prlimit(worker.pid, resource.RLIMIT_NOFILE) == (4096, 4096))
        worker.terminate()
