"""Fixtures of the dialects' tests."""

import pytest

from functions.handlers import dialects
from tests.adapters.aws_account import Aws


@pytest.fixture(autouse=True)
def all_dialects(aws: Aws) -> None:
    """Switch all dialects on."""
    aws.monkeypatch.setenv("DIALECTS", "jobe,judge0,librechat,mcp,piston,sandboxfusion")
    dialects.ENV.forget()
