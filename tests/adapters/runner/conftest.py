"""Fixtures of the runner's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime.worker import queue_intake
from tests.adapters.aws_account import Aws
from tests.adapters.runner_system import Direct, System


@pytest.fixture
def system(aws: Aws, tmp_path: Path) -> Iterator[System]:
    """A worker over the account."""
    made = System(aws, tmp_path / "alive")
    yield made
    made.stop()


@pytest.fixture
def direct(aws: Aws, tmp_path: Path) -> Iterator[Direct]:
    """A worker that listens."""
    made = Direct(aws, tmp_path / "alive")
    yield made
    made.close()


@pytest.fixture
def _no_retry_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_intake, "RETRY_DELAY_SECS", 0)
