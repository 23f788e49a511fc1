"""An answer of the HTTP API does not leave while it could be lost."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
