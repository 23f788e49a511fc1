"""One key, one run: however often and however concurrently it is sent."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, final_result, wait_until
from tests.system.webhook_inbox import Inbox

JOB = {"language": "python", "code": "print(3)"}


def _submit(client: httpx.Client, key: str, job: dict[str, Any] | None = None, **params: str) -> httpx.Response:
    return client.post("/api/submit", json=job or JOB, params=params, headers={"Idempotency-Key": key})


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


def test_key_seen_many_times_at_once_while_waiting_gives_everyone_the_one_result(stack: LocalStack) -> None:
    key = str(uuid.uuid4())
    with stack.client() as client, ThreadPoolExecutor(20) as threads:
        responses = list(threads.map(lambda _: _submit(client, key, wait="true"), range(20)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["id"] for response in responses}) == 1
    assert {response.json()["stdout"] for response in responses} == {"3\n"}


def test_repeat_after_the_end_gets_the_finished_result(client: httpx.Client) -> None:
    key = str(uuid.uuid4())
    first = _submit(client, key, wait="true")
    repeat = _submit(client, key)
    assert (repeat.status_code, repeat.json()["id"], repeat.json()["verdict"]) == (200, first.json()["id"], "AC")


@pytest.mark.parametrize(
    "other",
    [{**JOB, "code": "print(4)"}, {**JOB, "stdin": "x"}, {**JOB, "metadata": {"a": "b"}}, {**JOB, "profile": "agent"}],
)
def test_same_key_with_another_body_is_409(client: httpx.Client, other: dict[str, Any]) -> None:
    key = str(uuid.uuid4())
    submission_id = _submit(client, key).json()["id"]
    conflict = _submit(client, key, other)
    assert (conflict.status_code, conflict.json()["error"]) == (409, "idempotency_conflict")
    assert final_result(client, submission_id)["stdout"] == "3\n"
    assert _submit(client, key).json()["id"] == submission_id


def test_same_key_of_another_project_is_independent(client: httpx.Client, other_client: httpx.Client) -> None:
    key = str(uuid.uuid4())
    mine = _submit(client, key).json()["id"]
    theirs = _submit(other_client, key, {**JOB, "code": "print(5)"})
    assert theirs.status_code == 202
    assert theirs.json()["id"] != mine
    assert final_result(other_client, theirs.json()["id"])["stdout"] == "5\n"


@pytest.mark.parametrize("key", ["k", "x" * 255, "spaces and ~!@#$%^&*()"])
def test_any_key_up_to_255_characters_is_taken(client: httpx.Client, key: str) -> None:
    response = _submit(client, key)
    assert response.status_code in {200, 202}
    assert _submit(client, key).json()["id"] == response.json()["id"]


def test_longer_key_is_refused(client: httpx.Client) -> None:
    response = _submit(client, "x" * 256)
    assert response.status_code in {400, 422}
