"""Fixtures of the submissions' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.aws_account import Aws
from tests.adapters.runner_system import Direct
from tests.adapters.submissions.direct_wiring import forget_wiring


@pytest.fixture
def system(aws: Aws, tmp_path: Path) -> Iterator[Direct]:
    """A runner over the account."""
    made = Direct(aws, tmp_path / "alive")
    yield made
    made.close()
    forget_wiring()
