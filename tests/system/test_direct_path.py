"""The runner answers synchronous requests directly, with the same result as through the queue."""

import os
import signal
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.processes import descendants
from functions.clock import now_ms
from tests.system.local_stack import LocalStack, final_result, run, wait_until
from tests.system.webhook_inbox import Inbox

PROGRAM = "import sys\nprint(sum(range(10)))\nprint('err', file=sys.stderr)\nsys.exit(3)\n"
SLOW = "import time\ntime.sleep(3)\nprint('slept')\n"
ROW_AFTER_SECS = 0.5
"""A direct run of this length gets a row, and so does a short one on a machine that is busy enough."""


def _shape(value: Any, path: str = "") -> Any:
    """The body with everything that differs from run to run replaced by its type."""
    if isinstance(value, dict):
        return {name: _shape(part, f"{path}.{name}") for name, part in value.items()}
    if isinstance(value, float) or path.endswith(("_bytes", "_usec", "_ms", "id", "_at", "_secs")):
        return type(value).__name__ if not isinstance(value, int) else "number"
    return value


def test_both_ways_give_the_same_result_object(client: httpx.Client) -> None:
    direct = run(client, PROGRAM, metadata={"a": "b"})
    body = {"language": "python", "code": PROGRAM, "metadata": {"a": "b"}}
    queued = final_result(client, client.post("/api/submit", json=body).json()["id"])
    for measured in ("divergence", "cpu_wall_ratio"):  # of a run this short
        for place in (direct["metrics"], direct["evidence"]["timing"], queued["metrics"], queued["evidence"]["timing"]):
            place.pop(measured)
    assert _shape(direct) == _shape(queued)
    assert (direct["verdict"], direct["stdout"], direct["stderr"]) == ("RE", "45\n", "err\n")
    assert direct["metrics"]["queue_ms"] >= 0
    assert final_result(client, direct["id"])["timestamps"] == direct["timestamps"]


def test_a_synchronous_request_is_answered_without_the_queues(stack: LocalStack, client: httpx.Client) -> None:
    direct = run(client, "print(1)")["id"]
    queued = client.post("/api/submit", json={"language": "python", "code": "print(1)"}).json()["id"]
    wait_until(lambda: _told(stack, "Completion recorded", queued) == 1, 20, "the other's completion", stack.log)
    assert _told(stack, "Completion recorded", direct) == 0


def test_of_50_equal_keys_at_once_one_runs(stack: LocalStack) -> None:
    headers, job = {"Idempotency-Key": str(uuid.uuid4())}, {"language": "python", "code": "print(50)"}
    with stack.client() as client, ThreadPoolExecutor(50) as threads:
        answers = list(
            threads.map(lambda _: client.post("/api/submit?wait=true", json=job, headers=headers), range(50))
        )
    assert {answer.status_code for answer in answers} == {200}
    (submission_id,) = {answer.json()["id"] for answer in answers}
    assert {answer.json()["stdout"] for answer in answers} == {"50\n"}
    ended = "execution completed"
    wait_until(
        lambda: _told(stack, ended, submission_id) > 0, 20, "the runner tells of it, behind its answer", stack.log
    )
    assert (_told(stack, ended, submission_id), _told(stack, "Completion recorded", submission_id)) == (1, 0)


def _told(stack: LocalStack, what: str, submission_id: str) -> int:
    """Count the lines of the whole log that say so of a submission."""
    lines = stack.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum(what in line and f"submission_id={submission_id}" in line for line in lines)


def test_no_process_of_the_runner_but_itself_knows_the_token(stack: LocalStack, client: httpx.Client) -> None:
    assert "RUNNER_TOKEN" not in run(client, "import os\nprint(dict(os.environ))")["stdout"]
    below = descendants(stack.runner_pid())[1:]
    assert below
    environments = []
    for pid in below:
        with suppress(FileNotFoundError, ProcessLookupError):  # the run has ended meanwhile
            environments.append(Path(f"/proc/{pid}/environ").read_bytes())
    assert environments
    assert not any(b"RUNNER_TOKEN" in environment for environment in environments)


@pytest.mark.whole  # the stage `kills` kills runners while requests wait
def test_a_runner_killed_in_mid_request_costs_no_result(own_stack: Callable[..., LocalStack], inbox: Inbox) -> None:
    local = own_stack(RUSTBOX_PARAM_SubmissionVisibilitySecs="10", SLOTS="2")
    local.start()
    hook = {"webhook_url": inbox.url, "webhook_secret": "x"}
    with local.client() as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.post, "/api/submit?wait=true", json={"language": "python", "code": SLOW, **hook})
        wait_until(lambda: client.get("/api/results").json()["items"] != [], 20, "it is accepted", local.log)
        for _ in range(2):
            killed = local.runner_pid()
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda killed=killed: local.runner_pid() != killed, 20, "a new runner", local.log)  # type: ignore[misc]
        response = answer.result()
        assert response.status_code in {200, 408}
        result = final_result(client, response.json()["id"], 90)
        assert (result["verdict"], result["stdout"]) == ("AC", "slept\n")
        wait_until(lambda: inbox.ids() == {result["id"]}, 30, "the webhook", local.log)
        assert len(client.get("/api/results").json()["items"]) == 1


@pytest.mark.parametrize(
    ("code", "is_accepted"),
    [
        pytest.param("print(7)", False, marks=pytest.mark.whole),
        ("import time; time.sleep(1.5); print(7)", True),
    ],
)
def test_a_process_killed_before_the_answer_costs_no_result_that_was_accepted(
    own_stack: Callable[..., LocalStack], code: str, *, is_accepted: bool
) -> None:
    local = own_stack(DRAIN_SECS="1", RUSTBOX_PARAM_PendingRedriveSecs="5", RUSTBOX_PARAM_SubmissionVisibilitySecs="10")
    local.start(RUSTBOX_FAILPOINT="submit.after_answer")
    request: Any = {"json": {"language": "python", "code": code}, "headers": {"Idempotency-Key": str(uuid.uuid4())}}
    with local.client() as client:
        began = time.monotonic()
        with pytest.raises(httpx.TransportError):
            client.post("/api/submit?wait=true", **request)
        took_secs = time.monotonic() - began
        # A run of more than half a second has a row by then; a shorter one was never accepted.
        accepted = [item["id"] for item in client.get("/api/results").json()["items"]]
        if is_accepted or took_secs < ROW_AFTER_SECS:
            assert len(accepted) == is_accepted
        for submission_id in accepted:
            _make_due(local, submission_id)
        repeated = client.post("/api/submit?wait=2", **request)
        assert final_result(client, repeated.json()["id"], 90)["stdout"] == "7\n"
        assert len(client.get("/api/results").json()["items"]) == 1


def _make_due(local: LocalStack, submission_id: str) -> None:
    """Let the sweeper find a pending row now, not after the longest time that an invocation could still take."""
    local.aws("dynamodb").update_item(
        TableName="rustbox-local-SubmissionsTable",
        Key={"pk": {"S": f"SUBMISSION#{submission_id}"}, "sk": {"S": "SUBMISSION"}},
        UpdateExpression="SET due_at_ms = :now",
        ConditionExpression="due_at_ms > :now AND attribute_exists(asked_directly)",
        ExpressionAttributeValues={":now": {"N": str(now_ms())}},
    )
