"""One key runs once over HTTP. The rules of keys: tests/adapters/submissions/test_submit_handler.py."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, final_result, wait_until
from tests.system.webhook_inbox import Inbox

JOB = {"language": "python", "code": "print(3)"}


def _submit(client: httpx.Client, key: str, job: dict[str, Any]) -> httpx.Response:
    return client.post("/api/submit", json=job, headers={"Idempotency-Key": key})


def test_key_seen_50_times_at_once_runs_once(stack: LocalStack, inbox: Inbox) -> None:
    key = str(uuid.uuid4())
    job = {**JOB, "webhook_url": inbox.url, "webhook_secret": "x", "metadata": {"key": key}}
    with stack.client() as client, ThreadPoolExecutor(50) as threads:
        responses = list(threads.map(lambda _: _submit(client, key, job), range(50)))
        assert {response.status_code for response in responses} <= {200, 202}
        ids = {response.json()["id"] for response in responses}
        assert len(ids) == 1
        submission_id = ids.pop()
        assert final_result(client, submission_id)["stdout"] == "3\n"
        listed = client.get("/api/results", params={"limit": "100"}).json()["items"]
        assert [item["id"] for item in listed if item.get("metadata") == {"key": key}] == [submission_id]
        wait_until(lambda: bool(inbox.ids()), 30, "the webhook")
    assert inbox.ids() == {submission_id}


@pytest.mark.parametrize("key", ["k", "x" * 255, "spaces and ~!@#$%^&*()"])
def test_any_key_up_to_255_characters_is_taken(client: httpx.Client, key: str) -> None:
    response = _submit(client, key, JOB)
    assert response.status_code in {200, 202}
    assert _submit(client, key, JOB).json()["id"] == response.json()["id"]
