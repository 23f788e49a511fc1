"""An answer of the HTTP API does not leave while it could be lost."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.storage.store import Store, Synchronous
from infra.local.http.state_watch import StateInvoker
from infra.local.invoker import LambdaContext


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

    def handler(_event: Any, _context: LambdaContext) -> dict[str, Any]:
        with store.write() as connection:
            connection.execute("INSERT INTO event_bus VALUES ('a')")
        return {"statusCode": 200, "body": "{}"}

    invoker = StateInvoker({}, {"F": handler}, store)
    with _no_descriptor_left():
        answer = invoker.invoke("F", {"rawPath": "/api/submit"}, LambdaContext("F", 128, 30))
    assert answer["statusCode"] == status
    store.close()
