"""The world of the tests of checks, and the command `rustbox checks` over HTTP against it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rustbox_cli.__main__ import cli
from rustbox_cli.commands import check_states, checks
from tests.adapters.aws_account import Aws
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.checks.commands import Rustbox
from tests.adapters.http_calls import send
from tests.adapters.scripted_service import Asked, Reply, open_service


@pytest.fixture
def world(aws: Aws, project_key: str) -> CheckWorld:
    return CheckWorld(aws, project_key)


@pytest.fixture
def rustbox(
    world: CheckWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> Iterator[Rustbox]:
    """The command in a folder of its own. While it waits, the world goes on."""

    def answer(asked: Asked) -> Reply:
        got = send(asked.headers.get("x-api-key"), asked.method, asked.path, asked.body, query=asked.query)
        return Reply(got.status, got.raw, dict(got.headers))

    def settle(_secs: float) -> None:
        for _ in range(3):
            world.settle()

    with open_service() as service:
        monkeypatch.setattr(service, "answer", answer)
        for module in (checks, check_states):
            monkeypatch.setattr(module, "sleep", settle)
        monkeypatch.setenv("RUSTBOX_URL", service.url)
        monkeypatch.setenv("RUSTBOX_API_KEY", world.key)
        monkeypatch.chdir(tmp_path)
        yield lambda *arguments: CliRunner(mix_stderr=False).invoke(cli, ("checks", *arguments))
