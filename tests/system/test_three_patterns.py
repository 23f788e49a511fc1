"""The three ways to a result: wait, poll, webhook."""

import base64
import hashlib
import hmac
import json

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.system.local_stack import final_result, run, wait_until
from tests.system.webhook_inbox import Inbox, open_inbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROGRAMS = {
    "python": "print(input()[::-1])",
    "c": '#include <stdio.h>\nint main(void){char s[9];scanf("%8s",s);putchar(s[1]);putchar(s[0]);puts("");return 0;}',
    "javascript": "console.log((await Bun.stdin.text()).trim().split('').reverse().join(''))",
}


@pytest.mark.parametrize("language", sorted(PROGRAMS))
def test_waiting_request_gets_the_result(client: httpx.Client, language: str) -> None:
    result = run(client, PROGRAMS[language], language, stdin="ab\n", metadata={"unit": "7"})
    assert (result["verdict"], result["stdout"], result["stderr"], result["exit_code"]) == ("AC", "ba\n", "", 0)
    assert (result["status"], result["job_status"], result["language"]) == ("completed", "completed", language)
    assert result["result"]["verdict"] == "AC"
    assert result["output"] == {"stdout": "ba\n", "stderr": "", "integrity": "complete"}
    assert result["metadata"] == {"unit": "7"}
    assert result["evidence"]["isolation_mode"] == "strict"
    assert result["evidence"]["controls_missing"] == []


def test_queued_submission_is_answered_without_a_verdict_and_polled_to_its_result(client: httpx.Client) -> None:
    response = client.post("/api/submit", json={"language": "py", "code": "import time; time.sleep(4); print(1)"})
    body = response.json()
    assert response.status_code == 202
    assert {"status": "pending", "job_status": "pending"}.items() <= body.items()
    assert isinstance(body["queue_depth"], int)
    assert "verdict" not in body
    unfinished = client.get(f"/api/result/{body['id']}").json()
    assert unfinished["status"] in {"pending", "running"}
    assert [unfinished[part] for part in ("result", "output", "metrics", "evidence")] == [None] * 4
    assert not {"verdict", "stdout", "exit_code", "output_integrity"} & unfinished.keys()
    assert final_result(client, body["id"])["stdout"] == "1\n"


def test_long_poll_returns_when_the_run_ends(client: httpx.Client) -> None:
    submitted = client.post("/api/submit", json={"language": "python", "code": "import time; time.sleep(1)"}).json()
    assert client.get(f"/api/result/{submitted['id']}", params={"wait": "20"}).json()["verdict"] == "AC"


def _submit_with_webhook(client: httpx.Client, url: str, secret: str) -> str:
    response = client.post(
        "/api/submit", json={"language": "python", "code": "print('é')", "webhook_url": url, "webhook_secret": secret}
    )
    assert response.status_code == 202, response.text
    submission_id: str = response.json()["id"]
    return submission_id


def test_webhook_verifies_with_the_official_package(client: httpx.Client, inbox: Inbox) -> None:
    submission_id = _submit_with_webhook(client, inbox.url, SECRET)
    wait_until(lambda: bool(inbox.of(submission_id)), 30, "a delivery")
    delivery = inbox.of(submission_id)[0]
    body = Webhook(SECRET).verify(delivery.body, delivery.headers)
    assert (body["type"], body["id"], body["verdict"], body["stdout"]) == (
        "submission.completed",
        submission_id,
        "AC",
        "é\n",
    )
    assert delivery.headers["content-type"].startswith("application/json")
    assert body.items() >= client.get(f"/api/result/{submission_id}").json().items()


@pytest.mark.parametrize("secret", ["x", "a plain secret, ünïcode", "s" * 256])
def test_webhook_with_a_raw_secret_verifies_with_plain_hmac(client: httpx.Client, inbox: Inbox, secret: str) -> None:
    submission_id = _submit_with_webhook(client, inbox.url, secret)
    wait_until(lambda: bool(inbox.of(submission_id)), 30, "a delivery")
    delivery = inbox.of(submission_id)[0]
    content = f"{submission_id}.{delivery.headers['webhook-timestamp']}.".encode() + delivery.body
    digest = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    assert delivery.headers["webhook-signature"] == f"v1,{digest}"


def test_failed_deliveries_are_repeated_with_the_same_id_and_bytes(client: httpx.Client) -> None:
    with open_inbox([500, 302, 503, 404]) as flaky:
        submission_id = _submit_with_webhook(client, flaky.url, SECRET)
        wait_until(lambda: len(flaky.of(submission_id)) == 5, 60, "four failures and a success")
        assert flaky.ids() == {submission_id}
        assert len({delivery.body for delivery in flaky.all()}) == 1
        for delivery in flaky.all():
            Webhook(SECRET).verify(delivery.body, delivery.headers)


def test_both_generations_of_clients_find_the_verdict_in_the_webhook(client: httpx.Client, inbox: Inbox) -> None:
    submission_id = _submit_with_webhook(client, inbox.url, "raw")
    wait_until(lambda: bool(inbox.of(submission_id)), 30, "a delivery")
    body = json.loads(inbox.of(submission_id)[0].body)
    assert body["verdict"] == body["result"]["verdict"] == "AC"
