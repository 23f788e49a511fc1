"""An answer of the HTTP API does not leave while it could be lost."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.embedded.storage.files import Trouble
from infra.embedded.storage.store import Store, Synchronous
from infra.local.http.answers import DurableAnswers, HttpAnswer


@contextmanager
def _no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("synchronous", "status"), [("FULL", 503), ("NORMAL", 200)])
def test_answer_that_cannot_be_flushed_for_lack_of_descriptors_is_503(
    tmp_path: Path, synchronous: Synchronous, status: int
) -> None:
    store = Store(tmp_path, synchronous)
    store.prepare()
    with store.write() as connection:
        connection.execute("INSERT INTO event_bus VALUES ('a')")
    with _no_descriptor_left():
        answer = DurableAnswers(store).flush("/api/submit", HttpAnswer(200, [], b"{}"))
    assert answer.status == status
    store.close()


_FULL = Trouble("the disk is full", "", "writes")
_LOW = Trouble("less than 10 % of the disk is free", "", "nothing")


@pytest.mark.parametrize(
    ("trouble", "path", "status", "expected"),
    [
        (_FULL, "/api/health/ready", 200, 503),
        (_FULL, "/api/submit", 503, 503),
        (_FULL, "/api/result/1", 200, 200),
        (_LOW, "/api/health/ready", 200, 200),
        (_LOW, "/api/health/ready", 503, 503),
        (_LOW, "/api/submit", 503, 503),
    ],
)
def test_a_service_that_refuses_writes_is_not_ready_and_a_disk_that_fills_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble, path: str, status: int, expected: int
) -> None:
    store = Store(tmp_path, "NORMAL")
    monkeypatch.setattr(Store, "find_trouble", lambda _self: trouble)
    answer = DurableAnswers(store).flush(path, HttpAnswer(status, [], b'{"own": true}'))
    assert answer.status == expected
    assert (trouble.cause.encode() in answer.body) == (trouble is _FULL and expected == 503)
    health = DurableAnswers(store).flush("/api/health", HttpAnswer(200, [], b'{"status": "ok"}'))
    assert json.loads(health.body)["problems"] == [{"node_id": "local", "problem": trouble.cause}]
    store.close()
