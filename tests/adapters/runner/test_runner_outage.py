"""A runner that cannot report results takes no work, says why, and takes work again afterwards."""

import http.client
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox_runtime import retry
from sandbox_runtime.worker import reports
from sandbox_runtime.worker.reports import QueueHealth
from tests.adapters.runner_system import Direct
from tests.adapters.sqs_server import SqsServer, open_sqs_server
from tests.runner_doubles import RecordedSlot, requested
from tests.until import PATIENCE_SECS, until


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsServer]:
    monkeypatch.setattr(reports, "PATIENCE_SECS", 0.3)
    monkeypatch.setattr(retry, "BACKOFF_MOST_SECS", 0.5)
    with open_sqs_server() as server:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        yield server


@pytest.fixture
def system(sqs: SqsServer, tmp_path: Path) -> Iterator[Direct]:
    names = {
        name: f"{sqs.url}/0/{name}" for name in ("InteractiveQueue", "BatchQueue", "NetworkQueue", "CompletionsQueue")
    }
    account: Any = SimpleNamespace(names={**names, "PayloadsBucket": "payloads"})
    made = Direct(account, tmp_path / "alive")
    yield made
    for client in made.clients:
        client.close()
    made.stop()


def _health(system: Direct) -> tuple[int, dict[str, str]]:
    client = http.client.HTTPConnection("127.0.0.1", system.port, timeout=PATIENCE_SECS)
    try:
        client.request("GET", "/healthz")
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        client.close()


def _clock_is_off(sqs: SqsServer) -> None:
    sqs.ahead = timedelta(hours=1)


def _key_is_revoked(sqs: SqsServer) -> None:
    sqs.keys.clear()


def _completions_are_denied(sqs: SqsServer) -> None:
    sqs.denied.add("SendMessageBatch")


def _network_is_gone(sqs: SqsServer) -> None:
    sqs.is_down = True


def _all_is_well(sqs: SqsServer) -> None:
    sqs.ahead = timedelta()
    sqs.keys.add("testing")
    sqs.denied.clear()
    sqs.is_down = False


@pytest.mark.parametrize(
    ("begins", "problem"),
    [
        (_clock_is_off, "SQS refuses the signature (InvalidSignatureException): check the host's clock"),
        (_key_is_revoked, "SQS refuses the credentials (InvalidClientTokenId): check the role"),
        (_completions_are_denied, "SQS refuses the credentials (AccessDeniedException): check the role"),
        (_network_is_gone, "SQS cannot be reached (ConnectionClosedError): check the network"),
    ],
)
def test_a_runner_that_cannot_report_takes_no_work_and_says_why_until_it_can(
    system: Direct, sqs: SqsServer, caplog: pytest.LogCaptureFixture, begins: Callable[[SqsServer], None], problem: str
) -> None:
    caplog.set_level("INFO", "sandbox_runtime")
    system.start(RecordedSlot, HEARTBEAT_SECS="1")
    until(lambda: _health(system) == (200, {"status": "ok"}))
    assert system.ask(requested())[0] == 200

    begins(sqs)
    until(lambda: _health(system)[0] == 503)
    status, health = _health(system)
    assert (status, health["status"]) == (503, "cannot_report")
    assert problem in health["problem"]
    assert system.ask(requested()) == (503, {"error": "cannot_report"})
    assert len(system.slots[0].specs) == 1
    said = until(lambda: [record for record in caplog.records if record.getMessage() == "runner takes no work"])
    assert problem in said[-1].__dict__["problem"]

    # No submission loses an attempt meanwhile: polls that were under way end, and no other begins.
    until(lambda: system.worker._capacity.is_idle)
    sqs.queued.append(requested().serialise())
    receives, beats = sqs.receives, len(said)
    until(lambda: len([r for r in caplog.records if r.getMessage() == "runner takes no work"]) > beats + 1)
    assert sqs.receives == receives
    last = [r for r in caplog.records if r.name.startswith("sandbox_runtime")][-2:]
    assert "runner takes no work" in {record.getMessage() for record in last}

    _all_is_well(sqs)
    until(lambda: [message for message in sqs.sent if message["type"] == "execution_completed"])
    assert _health(system) == (200, {"status": "ok"})
    assert system.ask(requested())[0] == 200
    until(lambda: "runner takes work again" in {record.getMessage() for record in caplog.records})


def test_a_runner_takes_no_work_before_its_first_heartbeat_is_accepted(system: Direct, sqs: SqsServer) -> None:
    _key_is_revoked(sqs)
    sqs.queued.append(requested().serialise())
    system.start_only(RecordedSlot, HEARTBEAT_SECS="1")
    assert system.ask(requested()) == (503, {"error": "cannot_report"})
    assert _health(system)[0] == 503
    assert sqs.receives == 0
    assert not system.liveness_file.exists()
    _all_is_well(sqs)
    until(lambda: [message for message in sqs.sent if message["type"] == "execution_completed"])


def test_a_short_failure_stops_nothing(sqs: SqsServer) -> None:
    state = QueueHealth()
    assert (state.works, state.problem) == (False, "no heartbeat was accepted yet")
    state.sent()
    state.failed("ServiceUnavailable")
    assert (state.works, state.problem) == (True, "")
    state.sent()
    state.failed("ServiceUnavailable")  # the time of the first failure is forgotten
    assert state.works


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("SignatureDoesNotMatch", "clock"),
        ("ExpiredToken", "credentials"),
        ("AWS.SimpleQueueService.NonExistentQueue", "COMPLETIONS_QUEUE_URL"),
        ("EndpointConnectionError", "network"),
    ],
)
def test_advice_names_the_part_to_check(code: str, part: str) -> None:
    assert part in reports.advice(code)
    assert code in reports.advice(code)
