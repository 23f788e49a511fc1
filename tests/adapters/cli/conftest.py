"""The command line against a scripted service."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from rustbox_cli import api
from rustbox_cli.__main__ import cli
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Service, open_service


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for name in ("URL", "BASE_URL", "API_KEY", "ADMIN_KEY", "ALLOW_HTTP"):
        monkeypatch.delenv(f"RUSTBOX_{name}", raising=False)
    with open_service() as opened:
        monkeypatch.setenv("RUSTBOX_URL", opened.url)
        yield opened


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect what would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr(api.Api.__init__, "__defaults__", (waited.append,))
    return waited


@pytest.fixture
def rustbox(service: Service, pauses: list[float]) -> Rustbox:
    def invoke(*arguments: str, stdin: str | bytes = "") -> Result:
        return CliRunner(mix_stderr=False).invoke(cli, arguments, input=stdin)

    return invoke
