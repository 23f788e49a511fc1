"""Runs are cancelled at random moments while others run: each is final once, dead soon, and nothing of it is left."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.system.local_stack import API_KEY, ROOT, LocalStack, wait_until
from tests.system.webhook_inbox import Inbox

FORKS = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("so far", flush=True)
for _ in range(2):
    if os.fork() == 0: os.setsid()
time.sleep(60)
"""
CALM_SECS = 60
CANCELS = 40
CLIENTS = 4
READY = 6
"""Processes of pre-warmed runs in three slots. A run that was left has three processes."""


def descendants(pid: int) -> int:
    """Count the processes below one, all of whose children are known to the kernel by their parent."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += 1 + descendants(int(child))
    return found


def cancel_many(local: LocalStack, count: int, *, webhook_url: str | None = None) -> tuple[Counter[str], list[float]]:
    """Cancel runs at random moments; return how often each cause came, and after how many ms a stopped run was dead."""
    moments = random.Random(36)  # noqa: S311 - moments of a test
    hook = {} if webhook_url is None else {"webhook_url": webhook_url, "webhook_secret": "a secret of a test"}

    def cancel_one(secs: float) -> tuple[str, float | None]:
        with local.client() as client:
            body = {"language": "python", "code": FORKS, **hook}
            submission_id = client.post("/api/submit", json=body).json()["id"]
            time.sleep(secs)
            asked_at = time.time()
            answers = [client.post(f"/api/result/{submission_id}/cancel") for _ in range(2)]
            assert all(answer.status_code in {200, 202} for answer in answers), [answer.text for answer in answers]
            while True:
                result = client.get(f"/api/result/{submission_id}?wait=20").json()
                if result["result"] is not None:
                    break
            assert client.post(f"/api/result/{submission_id}/cancel").json() == result
            cause = result["result"]["cause"]
            if cause != "cancelled":
                return cause, None
            dead_at = datetime.fromisoformat(result["timestamps"]["completed_at"]).timestamp()
            return cause, (dead_at - asked_at) * 1000

    with ThreadPoolExecutor(CLIENTS) as clients:
        ends = list(
            clients.map(cancel_one, [moments.choice([0.0, 0.05, 0.3, 0.6]) * moments.random() for _ in range(count)])
        )
    return Counter(cause for cause, _ in ends), [ms for _, ms in ends if ms is not None]


def test_cancelled_runs_end_once_and_leave_nothing(killed_stack: LocalStack, inbox: Inbox) -> None:
    local = killed_stack
    before = descendants(local.runner_pid())
    causes, dead_ms = cancel_many(local, CANCELS, webhook_url=inbox.url)
    assert causes.total() == CANCELS
    assert causes.keys() <= {"cancelled", "cancelled_before_start"}
    assert dead_ms
    wait_until(lambda: len(inbox.ids()) == CANCELS, CALM_SECS, "one event for each", local.log)
    wait_until(
        lambda: descendants(local.runner_pid()) <= before + READY, CALM_SECS, "no process of a run is left", local.log
    )
    with local.client() as client:
        answer = client.post("/api/submit?wait=20", json={"language": "python", "code": "print(42)"}).json()
    assert answer["stdout"] == "42\n"


def test_a_run_whose_runner_is_killed_during_its_cancel_ends_once(killed_stack: LocalStack, inbox: Inbox) -> None:
    local = killed_stack
    body = {"language": "python", "code": FORKS, "profile": "agent", "limits": {"wall_time_secs": 30}}
    hook = {"webhook_url": inbox.url, "webhook_secret": "a secret of a test"}
    with local.client() as client, ThreadPoolExecutor(1) as clients:
        submission_id = client.post("/api/submit", json=body | hook).json()["id"]
        path = f"/api/result/{submission_id}"

        def row() -> dict[str, Any]:
            key = {"pk": {"S": f"SUBMISSION#{submission_id}"}, "sk": {"S": "SUBMISSION"}}
            return dict(local.aws("dynamodb").get_item(TableName="rustbox-local-SubmissionsTable", Key=key)["Item"])

        wait_until(lambda: row()["status"]["S"] == "running", CALM_SECS, "the run has begun", local.log)
        runner = local.runner_pid()
        os.kill(runner, signal.SIGSTOP)  # it hears of the cancel, and does not answer
        cancelled = clients.submit(client.post, f"{path}/cancel")
        wait_until(lambda: "cancelled_at" in row(), CALM_SECS, "the row is marked", local.log)
        os.kill(runner, signal.SIGKILL)
        assert cancelled.result().status_code == 202
        final: dict[str, Any] = {}

        def is_final() -> bool:
            final.update(client.get(f"{path}?wait=20").json())
            return final["result"] is not None

        wait_until(is_final, CALM_SECS, "the run has ended", local.log)
        assert (final["verdict"], final["result"]["cause"]) == ("SIG", "cancelled")
        wait_until(lambda: len(inbox.ids()) == 1, CALM_SECS, "its event", local.log)
        wait_until(local.is_ready, CALM_SECS, "another runner", local.log)
        after = client.post("/api/submit?wait=20", json={"language": "python", "code": "print(42)"}).json()
        assert after["stdout"] == "42\n"
        assert client.get(path).json() == final
        assert len(inbox.ids()) == 1


def test_the_command_line_prints_while_the_program_runs_and_an_interrupt_stops_it(
    stack: LocalStack, tmp_path: Path
) -> None:
    program = tmp_path / "long.py"
    program.write_text("import time\nprint('so far', flush=True)\ntime.sleep(600)\n")
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "RUSTBOX_URL": stack.url,
        "RUSTBOX_API_KEY": API_KEY,
    }
    options = ["--profile", "agent", "--limit", "wall_time_secs=30"]
    command = [sys.executable, "-m", "rustbox_cli", "run", str(program), *options]
    with (
        subprocess.Popen(
            command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as rustbox,
        stack.client() as client,
    ):
        assert rustbox.stdout is not None
        assert rustbox.stdout.readline() == b"so far\n"  # while the program sleeps
        rustbox.send_signal(signal.SIGINT)
        _, errors = rustbox.communicate(timeout=CALM_SECS)
        assert rustbox.returncode == 130, errors
        submission_id = errors.decode().rpartition("rustbox result ")[2].split()[0]
        result = client.get(f"/api/result/{submission_id}?wait=20").json()
    assert (result["result"]["cause"], result["stdout"]) == ("cancelled", "so far\n")
