"""Transforms on the whole stack: real programs in the sandbox write bodies that a published library verifies."""

import json
import os
import subprocess
from functools import partial

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.system.local_stack import ROOT, LocalStack, run, wait_until
from tests.system.webhook_inbox import Inbox

PROGRAM = """
import json, sys
event = json.load(sys.stdin)
print(json.dumps({"body": {"text": event["output"]["stdout"].strip()}, "headers": {"x-of": event["type"]}}))
"""
IN_BASH = 'cat > /dev/null; echo \'{"body": {"text": "bash"}}\''
HOSTILE = {
    "endless": "while True: pass",
    "a megabyte": "print('a' * 1_000_000)",
    "forks": "import os\nwhile True: os.fork()",
    "memory": "a = []\nwhile True: a.append(bytearray(10**7))",
    "network": "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)",
    "nothing": "pass",
}


def endpoint(client: httpx.Client, url: str, code: str, language: str = "python") -> dict[str, str]:
    answer = client.post("/api/webhooks", json={"url": url, "transform": {"language": language, "code": code}})
    made: dict[str, str] = answer.json()
    assert answer.status_code == 200, made
    return made


def test_a_published_library_verifies_a_written_body(client: httpx.Client, inbox: Inbox) -> None:
    made = endpoint(client, inbox.url, PROGRAM)
    submission = run(client, "print(6 * 7)")["id"]
    wait_until(lambda: bool(inbox.of(submission)), 30, "the delivery")
    (sent,) = inbox.of(submission)
    assert Webhook(made["secret"]).verify(sent.body, sent.headers) == {"text": "42"}
    assert sent.headers["x-of"] == "submission.completed"
    client.delete(f"/api/webhooks/{made['id']}")


def test_a_transform_may_be_in_another_language(client: httpx.Client, inbox: Inbox) -> None:
    made = endpoint(client, inbox.url, IN_BASH, "bash")
    submission = run(client, "print(1)")["id"]
    wait_until(lambda: bool(inbox.of(submission)), 30, "the delivery")
    assert json.loads(inbox.of(submission)[0].body) == {"text": "bash"}
    client.delete(f"/api/webhooks/{made['id']}")


def _more_than(inbox: Inbox, submission: str, count: int) -> bool:
    return len(inbox.of(submission)) > count


def test_the_command_lets_a_changed_program_write_another_body(
    stack: LocalStack, client: httpx.Client, inbox: Inbox
) -> None:
    made = endpoint(client, inbox.url, "print('first')")
    submission = run(client, "print(1)")["id"]
    wait_until(lambda: len(inbox.of(submission)) == 1, 30, "the delivery")
    changed = {"transform": {"language": "python", "code": "print('second')"}}
    assert client.patch(f"/api/webhooks/{made['id']}", json=changed).status_code == 200
    replay = [str(ROOT / ".venv" / "bin" / "rustbox"), "deliveries", "replay", f"{submission}.{made['id']}"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUSTBOX_URL": stack.url}
    for command in (replay, [*replay, "--transform-again"]):
        before = len(inbox.of(submission))
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        wait_until(partial(_more_than, inbox, submission, before), 30, "the replay")
    assert [each.body.strip() for each in inbox.of(submission)] == [b"first", b"first", b"second"]
    client.delete(f"/api/webhooks/{made['id']}")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_transform_blocks_its_own_delivery_only(client: httpx.Client, inbox: Inbox, name: str) -> None:
    made = endpoint(client, inbox.url, HOSTILE[name])
    plain = client.post("/api/webhooks", json={"url": inbox.url}).json()
    submission = run(client, "print(1)")["id"]
    path = f"/api/deliveries/{submission}.{made['id']}"
    wait_until(lambda: client.get(path).json().get("state") == "blocked", 40, "it is blocked")
    assert client.get(path).json()["transform_failure"]["error"]
    assert client.get(f"/api/deliveries/{submission}.{plain['id']}").json()["state"] == "delivered"
    assert len(inbox.of(submission)) == 1
    for each in (made, plain):
        client.delete(f"/api/webhooks/{each['id']}")
    tested = client.post(f"/api/webhooks/{made['id']}/transform/test", json={})
    assert tested.status_code == 404


def test_a_program_is_tested_on_a_sample_and_on_a_stored_event(client: httpx.Client, inbox: Inbox) -> None:
    made = endpoint(client, inbox.url, PROGRAM)
    path = f"/api/webhooks/{made['id']}/transform/test"
    submission = run(client, "print('stored')")["id"]
    wait_until(lambda: bool(inbox.of(submission)), 30, "the delivery")
    stored = client.post(path, json={"event_id": submission}).json()
    assert (stored["body"], stored["event"]["id"]) == ('{"text":"stored"}', submission)
    failed = client.post(path, json={"type": "check.state.changed"}).json()
    assert (failed["verdict"], failed["body"]) == ("RE", None)
    assert "KeyError" in failed["stderr"]
    skips = {"language": "python", "code": "print('{\"skip\": true}')"}
    assert client.post(path, json={"transform": skips}).json()["skip"] is True
    for wrong in ({"type": "no.such"}, {"type": "webhook.test", "event_id": submission}):
        assert client.post(path, json=wrong).status_code == 422
    assert client.post(path, json={"event_id": made["id"]}).status_code == 404
    client.delete(f"/api/webhooks/{made['id']}")


@pytest.mark.parametrize("name", ["slack", "discord", "teams", "pagerduty"])
def test_a_template_takes_every_event(client: httpx.Client, inbox: Inbox, name: str) -> None:
    templates = {each["name"]: each for each in client.get("/api/webhooks/transform/templates").json()["items"]}
    code = templates[name]["code"]
    made = endpoint(client, inbox.url, code)
    for event in client.get("/api/event-types").json()["items"]:
        tested = client.post(f"/api/webhooks/{made['id']}/transform/test", json={"type": event["type"]}).json()
        assert tested["error"] is None, (event["type"], tested)
    client.delete(f"/api/webhooks/{made['id']}")


def test_a_language_that_is_not_offered_and_a_second_shape_are_refused(client: httpx.Client, inbox: Inbox) -> None:
    program = {"language": "python", "code": "print(1)"}
    for wrong, field in (
        ({"transform": {"language": "cobol", "code": "x"}}, "transform.language"),
        ({"transform": {"language": "python", "code": ""}}, "transform.code"),
        ({"transform": {"language": "python", "code": "x" * 16_385}}, "transform.code"),
        ({"transform": program, "format": "slack"}, "transform"),
    ):
        answer = client.post("/api/webhooks", json={"url": inbox.url, **wrong})
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["fields"]] == [field]
