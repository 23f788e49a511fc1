"""Results a second of one machine, alone and with a runner on another host: `python -m tests.bench.runner_hosts`.

Each host is a CPU: the service with its own runner has the first one, the other runner the second one. Both rounds run
the same programs through the queue, in turn.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.system.first_project import admin_keys, first_project
from tests.system.local_stack import ROOT, LocalStack, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# Busy for about 0.3 s: the work is that of the program, as with a compiler or a test run.
PROGRAM = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('done')"


def main() -> None:
    """Print one line for each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        stack = LocalStack(
            Path(folder) / "state",
            RUSTBOX_PUBLIC_URL="https://rustbox.example",
            RUSTBOX_METRICS_PORT=str(free_port()),
            RUSTBOX_RUNNER_LISTEN=f"127.0.0.1:{port}",
            RUSTBOX_PROCESSES="1",
            RUSTBOX_PARAM_OfferedLanguages="python",
            SLOTS="1",
        )
        stack.command = "serve"
        os.sched_setaffinity(0, {0})
        try:
            stack.start()
            _measure(stack, port, Path(folder), options.runs, options.rounds)
        finally:
            stack.close()


def _measure(stack: LocalStack, port: int, folder: Path, runs: int, rounds: int) -> None:
    (admin_key,) = admin_keys(stack)
    headers = {"X-Admin-Key": admin_key}
    with (
        stack.client(first_project(stack, admin_key)) as client,
        httpx.Client(base_url=stack.url, headers=headers, trust_env=False) as admin,
    ):
        projects = admin.get("/api/projects").json()["items"]
        quota = {"quotas": {"judge": {"per_minute": 100_000, "per_day": 1_000_000, "in_flight": 1000}}}
        admin.patch(f"/api/projects/{projects[0]['id']}", json=quota).raise_for_status()
        token = admin.post("/api/admin/runner-tokens", json={"name": "other"}).raise_for_status().json()
        for number in range(1, rounds + 1):
            _show(number, "one host", client, admin, runs)
            with _other_host(port, token["token"], token["fingerprint"], admin, folder):
                _show(number, "two hosts", client, admin, runs)
            wait_until(lambda: _slots(admin) == 1, 90, "the other runner is gone")


def _show(number: int, hosts: str, client: httpx.Client, admin: httpx.Client, runs: int) -> None:
    began = time.monotonic()
    body = {"language": "python", "code": PROGRAM}
    ids = [client.post("/api/submit", json=body).raise_for_status().json()["id"] for _ in range(runs)]
    nodes: Counter[str] = Counter()
    for each in ids:
        while "verdict" not in (result := client.get(f"/api/result/{each}", params={"wait": "10"}).json()):
            pass
        assert result["verdict"] == "AC", result
    secs = time.monotonic() - began
    for each in ids:
        nodes[admin.get(f"/api/admin/submissions/{each}").json()["row"]["node_id"]] += 1
    shares = ", ".join(f"{name} {count}" for name, count in sorted(nodes.items()))
    sys.stdout.write(f"round {number}, {hosts}: {runs / secs:.2f} results a second ({shares})\n")
    sys.stdout.flush()


@contextmanager
def _other_host(port: int, token: str, pin: str, admin: httpx.Client, folder: Path) -> Iterator[None]:
    environment = {
        "PATH": os.environ["PATH"],
        "RUSTBOX_SERVER": f"127.0.0.1:{port}",
        "RUSTBOX_FINGERPRINT": pin,
        "RUSTBOX_RUNNER_TOKEN": token,
        "SLOTS": "1",
        "HEARTBEAT_SECS": "2",
    }
    command = ["/usr/bin/taskset", "-c", "1", sys.executable, "-m", "infra.local", "runner"]
    with (folder / "other.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: _slots(admin) == 2, 90, "the other runner is live")
        yield
    finally:
        process.terminate()
        process.wait(60)


def _slots(admin: httpx.Client) -> int:
    items = admin.get("/api/admin/runners").raise_for_status().json()["items"]
    return sum(each["slots"] for each in items if each["state"] == "live")


if __name__ == "__main__":
    main()
