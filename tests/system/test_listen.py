"""`rustbox listen` as a process of its own: killed and restarted under load, it loses and reorders nothing."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.system.local_stack import ROOT, LocalStack, free_port, wait_until
from tests.system.webhook_inbox import Inbox, open_inbox

COMMAND = ROOT / ".venv" / "bin" / "rustbox"
EVENTS = 90

type Listen = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def listen(stack: LocalStack, tmp_path: Path) -> Iterator[Listen]:
    """Start listeners, which share one configuration folder; none of them outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        log = tmp_path / f"listen{len(started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [COMMAND, "listen", *arguments],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "RUSTBOX_URL": stack.url,
                    "XDG_CONFIG_HOME": str(tmp_path / "config"),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(10)


def secret_of(folder: Path) -> str:
    path = folder / "config" / "rustbox" / "listen_secret"
    wait_until(path.is_file, 20, "the secret is kept")
    assert path.stat().st_mode & 0o077 == 0
    return path.read_text().strip()


def run(client: httpx.Client, number: int) -> str:
    body = {"language": "python", "code": "print(42)", "metadata": {"n": str(number)}}
    answer = client.post("/api/submit", params={"wait": "true"}, json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    return str(answer.json()["id"])


def consumer_is_made(client: httpx.Client, name: str) -> bool:
    return name in {one["name"] for one in client.get("/api/event-consumers").json()["items"]}


def behind(client: httpx.Client, name: str) -> int:
    (found,) = [one["behind"] for one in client.get("/api/event-consumers").json()["items"] if one["name"] == name]
    return int(found)


def first_of_each(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def test_a_listener_that_is_killed_under_load_loses_and_reorders_none(
    stack: LocalStack, client: httpx.Client, inbox: Inbox, listen: Listen, tmp_path: Path
) -> None:
    arguments = ("--forward-to", inbox.url, "--consumer", "killed")
    process = listen(*arguments)
    wait_until(lambda: consumer_is_made(client, "killed"), 30, "the consumer is made")
    submitted = []
    for number in range(EVENTS):
        submitted.append(run(client, number))
        if number % 40 == 20:
            wait_until(lambda: len(inbox.ids()) > len(submitted) - 15, 30, "some arrived")
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        elif number % 40 == 30:
            process = listen(*arguments)
    wait_until(lambda: set(submitted) <= inbox.ids(), 60, "every event arrived")
    received = inbox.all()
    ids = [delivery.webhook_id for delivery in received]
    assert first_of_each([one for one in ids if one in submitted]) == submitted  # others end runs meanwhile
    verifier = Webhook(secret_of(tmp_path))
    for delivery in received:
        event = verifier.verify(delivery.body, delivery.headers)
        assert event.get("id", delivery.webhook_id) == delivery.webhook_id
    # It may wait for the answer to the last event still, and that one would come again.
    wait_until(lambda: behind(client, "killed") == 0, 30, "every event is committed")
    process.terminate()
    process.wait(60)
    count = len(inbox.all())
    last = listen(*arguments)  # what was handled before a stop does not come again
    newest = run(client, EVENTS)
    wait_until(lambda: newest in inbox.ids(), 30, "the newest event arrived")
    assert {delivery.webhook_id for delivery in inbox.all()[count:]}.isdisjoint(submitted)
    last.terminate()
    assert last.wait(60) == 130


def test_forwarded_bytes_are_those_of_a_webhook_and_tests_and_replays_come_too(
    stack: LocalStack, client: httpx.Client, inbox: Inbox, listen: Listen, tmp_path: Path
) -> None:
    with open_inbox() as endpoint_inbox:
        made = client.post("/api/webhooks", json={"url": endpoint_inbox.url}).json()
        process = listen("--forward-to", inbox.url, "--consumer", "bytes")
        wait_until(lambda: consumer_is_made(client, "bytes"), 30, "the consumer is made")
        body = {"language": "python", "code": "print('naïve ✓ \\x01', 0.1)", "metadata": {"über": "✓"}}
        submitted = client.post("/api/submit", params={"wait": "true"}, json=body).json()["id"]
        wait_until(lambda: submitted in inbox.ids() & endpoint_inbox.ids(), 30, "both arrived")
        (forwarded,), (delivered,) = inbox.of(submitted), endpoint_inbox.of(submitted)
        assert forwarded.body == delivered.body
        assert forwarded.headers["user-agent"] == delivered.headers["user-agent"]
        delivery = f"/api/deliveries/{submitted}.{made['id']}"
        wait_until(lambda: client.get(delivery).json()["state"] == "delivered", 30, "delivered")
        tested = client.post(f"/api/webhooks/{made['id']}/test").json()["request"]["headers"]["webhook-id"]
        assert client.post(f"{delivery}/replay").status_code == httpx.codes.ACCEPTED
        sample = client.post("/api/event-samples", json={"type": "endpoint.disabled"}).json()["id"]
        wait_until(lambda: {tested, sample} <= inbox.ids() and len(inbox.of(submitted)) == 2, 30, "all arrived")
        log, told = tmp_path / "listen0.log", ("webhook.test (test)", "submission.completed (replay)", "  200  ")
        wait_until(lambda: all(text in log.read_text() for text in told), 30, "it told of the answers", log.read_text)
        process.terminate()
        client.delete(f"/api/webhooks/{made['id']}")


def test_while_nothing_answers_the_listener_waits_and_keeps_the_order(
    stack: LocalStack, client: httpx.Client, listen: Listen
) -> None:
    port = free_port()
    process = listen("--forward-to", f"http://127.0.0.1:{port}/hook", "--consumer", "away", "--event", "webhook.test")
    wait_until(lambda: consumer_is_made(client, "away"), 30, "the consumer is made")
    run(client, 0)  # of another type
    sent = [client.post("/api/event-samples", json={"type": "webhook.test"}).json()["id"] for _ in range(3)]
    with open_inbox([500], ("127.0.0.1", port)) as inbox:
        wait_until(lambda: set(sent) == inbox.ids(), 40, "all arrived")
        assert len(inbox.all()) == len(sent)  # a 500 is an answer
    process.terminate()


def test_print_only_prints_an_event_a_line(
    stack: LocalStack, client: httpx.Client, listen: Listen, tmp_path: Path
) -> None:
    process = listen("--print-only", "--consumer", "printer")
    wait_until(lambda: consumer_is_made(client, "printer"), 30, "the consumer is made")
    submitted = run(client, 1)
    log = tmp_path / "listen0.log"
    wait_until(lambda: submitted in log.read_text(), 30, "it was printed")
    (printed,) = [line for line in log.read_text().splitlines() if submitted in line]  # others end runs meanwhile
    assert json.loads(printed)["stdout"] == "42\n"
    process.terminate()
