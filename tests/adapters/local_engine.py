"""The local stack's AWS for a test. Import `local_engine`, and name it in `__all__`."""

import functools
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from infra.embedded import services
from infra.embedded.engine import open_engine
from infra.embedded.hook import Hook


@pytest.fixture
def local_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer every session that the test makes, as in the launcher."""
    for name, text in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    engine = open_engine(tmp_path / "engine", synchronous="NORMAL")
    hook = Hook(functools.partial(services.call, engine))
    hook.attach_everywhere()
    yield
    hook.detach_everywhere()
    engine.close()
