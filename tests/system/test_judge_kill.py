"""A judge run whose runner is killed: it starts again, ends once, and reports each case once."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.system.local_stack import LocalStack, wait_until
from tests.system.webhook_inbox import Inbox

COUNT = 30
BODY: dict[str, Any] = {
    "language": "python",
    "code": "import time\ntime.sleep(0.2)\nprint(input())",
    "cases": [{"stdin": f"{number}\n", "expected": f"{number}\n"} for number in range(COUNT)],
}


def finished(client: httpx.Client) -> list[int]:
    """Return the indices of the finished cases of the newest judge run."""
    runs = client.get("/api/results").json()["items"]
    if not runs:
        return []
    body = client.get(f"/api/judge/{runs[0]['id']}").json()
    return [case["index"] for case in body["results"] if case["outcome"] is not None]


def test_a_judge_run_whose_runner_is_killed_ends_once_with_each_case_once(
    killed_stack: LocalStack, inbox: Inbox
) -> None:
    local, killed, key = killed_stack, killed_stack.runner_pid(), killed_stack.add_project("judged")
    body = BODY | {"webhook_url": inbox.url, "webhook_secret": "any text"}
    with local.client(key) as client, local.client(key) as watcher, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.post, "/api/judge", params={"wait": "2"}, json=body)
        wait_until(lambda: len(finished(watcher)) >= 3, 60, "three cases are finished", local.log)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: local.runner_pid() != killed, 60, "another runner works", local.log)
        timed_out = first.result()
        assert timed_out.status_code == httpx.codes.REQUEST_TIMEOUT, timed_out.text
        early = timed_out.json()
        assert early["error"] == "timeout"
        seen = [case["index"] for case in early["results"]]
        assert seen == sorted(set(seen))
        # The published SDK sends the same body again.
        while (answer := client.post("/api/judge", json=body)).status_code == httpx.codes.REQUEST_TIMEOUT:
            assert answer.json()["id"] == early["id"]
        judged = answer.json()
    assert answer.status_code == httpx.codes.OK, judged
    assert (judged["id"], judged["all_passed"], judged["passed"]) == (early["id"], True, COUNT)
    assert [case["index"] for case in judged["results"]] == list(range(COUNT))
    with local.client(key) as client:
        assert [run["id"] for run in client.get("/api/results").json()["items"]] == [early["id"]]
        events = client.get("/api/events", params={"type": "judge.completed"}).json()["items"]
    assert [event["submission_id"] for event in events] == [early["id"]]
    wait_until(lambda: len(inbox.all()) > 0, 60, "the webhook comes", local.log)
    assert [delivery.webhook_id for delivery in inbox.all()] == [events[0]["id"]]
