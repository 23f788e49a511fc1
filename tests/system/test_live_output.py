"""The output of a program is read while it runs, over the whole stack."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.system.local_stack import LocalStack, run

PRINTS = "import sys, time\nprint('first', flush=True)\nprint('wrong', file=sys.stderr, flush=True)\ntime.sleep(600)\n"
LIMITS = {"wall_time_secs": 30}


def parts_until(client: httpx.Client, submission_id: str, stream: str, text: str) -> dict[str, Any]:
    """Follow a stream until it has this text; return the last part."""
    whole, after = "", 0
    while True:
        query: dict[str, str | int] = {"stream": stream, "after": after, "wait": 20}
        part = dict(client.get(f"/api/result/{submission_id}/output", params=query).json())
        whole, after = whole + part["output"], part["next"]
        if whole == text:
            return part
        assert text.startswith(whole), whole
        assert not part["final"], whole


def test_without_a_direct_path_runs_come_through_the_queue_and_output_through_the_bucket(
    own_stack: Callable[..., LocalStack],
) -> None:
    local = own_stack(RUSTBOX_PARAM_RunnerUrl="")
    local.start()
    environment = Path(f"/proc/{local.runner_pid()}/environ").read_bytes()
    assert b"LISTEN_ADDRESS" not in environment
    assert b"RUNNER_TOKEN" not in environment
    with local.client() as client:
        assert run(client, "print(1)")["stdout"] == "1\n"
        body = {"language": "python", "code": PRINTS, "profile": "agent", "limits": LIMITS}
        submission_id = client.post("/api/submit", json=body).json()["id"]
        for stream, text in {"stdout": "first\n", "stderr": "wrong\n"}.items():
            assert not parts_until(client, submission_id, stream, text)["final"]
        assert client.post(f"/api/result/{submission_id}/cancel").status_code in {200, 202}


def test_output_is_read_while_the_program_runs_and_a_cancel_ends_it(client: httpx.Client) -> None:
    body = {"language": "python", "code": PRINTS, "profile": "agent", "limits": LIMITS}
    accepted = client.post("/api/submit", json=body)
    assert accepted.status_code == 202, accepted.text
    submission_id = accepted.json()["id"]
    with ThreadPoolExecutor(2) as readers:
        texts = {"stdout": "first\n", "stderr": "wrong\n"}
        parts = [readers.submit(parts_until, client, submission_id, *each) for each in texts.items()]
        seen = [part.result() for part in parts]
    assert [part["final"] for part in seen] == [False, False]
    with ThreadPoolExecutor(1) as readers:
        query: dict[str, str | int] = {"stream": "stdout", "after": 6, "wait": 20}
        last = readers.submit(client.get, f"/api/result/{submission_id}/output", params=query)
        assert client.post(f"/api/result/{submission_id}/cancel").status_code in {200, 202}
        part = last.result().json()
    while not part["final"]:
        part = client.get(f"/api/result/{submission_id}/output", params=query).json()
    assert (part["output"], part["next"], part["status"]) == ("", 6, "completed")
    result = client.get(f"/api/result/{submission_id}").json()
    assert (result["result"]["cause"], result["stdout"], result["stderr"]) == ("cancelled", "first\n", "wrong\n")


UNLIKE = """import os, time
name = os.urandom(4).hex()
for line in range(12):
    print(name * 3 if line else name, flush=True)
    time.sleep(0.5)
"""


def test_a_watcher_gets_one_execution_whole_although_its_runner_is_killed(killed_stack: LocalStack) -> None:
    local = killed_stack
    with local.client() as client:
        body = {"language": "python", "code": UNLIKE, "profile": "agent", "limits": LIMITS}
        submission_id = client.post("/api/submit", json=body).json()["id"]
        whole, after, is_final = "", 0, False
        executions: list[str] = []
        while not is_final:
            query: dict[str, str | int] = {"stream": "stdout", "after": after, "wait": 20}
            part = client.get(f"/api/result/{submission_id}/output", params=query).json()
            if part.get("execution") not in {None, *executions[-1:]}:
                executions.append(part["execution"])
                if len(executions) > 1:
                    whole, after = "", 0
                    continue
            whole, after, is_final = whole + part["output"], part["next"], part["final"]
            if len(executions) == 1 and len(whole) > 60:
                os.kill(local.runner_pid(), signal.SIGKILL)
        result = client.get(f"/api/result/{submission_id}").json()
    assert len(executions) == 2
    assert (result["verdict"], len(whole)) == ("AC", 9 + 25 * 11)
    assert result["stdout"] == whole


def test_the_output_of_another_project_is_not_found(client: httpx.Client, other_client: httpx.Client) -> None:
    submission_id = client.post("/api/submit", json={"language": "python", "code": "print(42)"}).json()["id"]
    query: dict[str, str | int] = {"stream": "stdout", "wait": 20}
    assert other_client.get(f"/api/result/{submission_id}/output", params=query).status_code == 404
