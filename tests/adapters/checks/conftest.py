"""The world of the tests of checks."""

import pytest

from tests.adapters.aws_account import Aws
from tests.adapters.checks.check_world import CheckWorld


@pytest.fixture
def world(aws: Aws, project_key: str) -> CheckWorld:
    return CheckWorld(aws, project_key)
