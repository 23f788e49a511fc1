"""Fixtures of all adapter tests: an AWS account, a project with a key in it, and the pipeline behind the queues."""

import functools
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from moto import mock_aws
from moto.kms.utils import generate_private_key

from functions.aws.clients import Clients
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.telemetry import logger
from tests.adapters.aws_account import ADMIN_KEY, ADMIN_KEY_PARAMETER, API_KEY, PROJECT_ID, Aws
from tests.adapters.engine_account import copied_account, engine_in
from tests.adapters.new_account import new_account, set_credentials
from tests.adapters.pipeline import pipeline, receiver
from tests.submission_factory import GENEROUS, FakeTime

if TYPE_CHECKING:
    import logging

# moto makes an RSA key for each KMS key, symmetric ones too: half of the time that an account takes.
_one_private_key = functools.cache(generate_private_key)

# pytest finds these fixtures here.
__all__ = ["pipeline", "receiver"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `answered_by` on these; the others run on the engine."""
    marker = metafunc.definition.get_closest_marker("answered_by")
    if marker is not None and "aws" in metafunc.fixturenames:
        marks = {"engine": (), "moto": (pytest.mark.whole,)}
        metafunc.parametrize("aws", [pytest.param(name, marks=marks[name]) for name in marker.args], indirect=True)


@pytest.fixture(scope="session")
def memory_folder() -> Iterator[Path]:
    """Give a folder without a disk: opening, closing and removing a database there costs no wait."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def prepared_account(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Make the template's resources in an engine; return its folder and their names."""
    folder = tmp_path_factory.mktemp("account") / "engine"
    with pytest.MonkeyPatch.context() as patch, engine_in(folder), new_account(patch) as account:
        return folder, account.names


@pytest.fixture
def aws(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    prepared_account: tuple[Path, dict[str, str]],
    memory_folder: Path,
) -> Iterator[Aws]:
    """Copy the prepared account, with all functions' environments set; where two differ, use `aws.environment`.

    It is empty, unless a module prepares another one. The engine answers; with `answered_by("moto")` moto does, over
    the wire format.
    """
    if getattr(request, "param", "engine") == "moto":
        monkeypatch.setattr("moto.kms.models.generate_private_key", _one_private_key)
        with mock_aws(), new_account(monkeypatch) as account:
            yield account
        return
    with copied_account(prepared_account, memory_folder / "account", monkeypatch) as account:
        yield account
    shutil.rmtree(memory_folder / "account")


@pytest.fixture
def local_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Answer all clients from an engine with nothing in it, as in the launcher."""
    set_credentials(monkeypatch)
    with engine_in(tmp_path / "engine"):
        yield


@pytest.fixture
def project_key(aws: Aws) -> str:
    """Return the API key of a project that may use both profiles."""
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "Tests", quotas=GENEROUS))
    return store.issue_key(PROJECT_ID, api_key=API_KEY)


@pytest.fixture
def admin_key(aws: Aws) -> str:
    """Return the administrator's key, which lies in SSM."""
    Clients.ssm().put_parameter(Name=ADMIN_KEY_PARAMETER, Value=ADMIN_KEY, Type="SecureString")
    aws.monkeypatch.setenv("ADMIN_KEY_PARAMETER", ADMIN_KEY_PARAMETER)
    return ADMIN_KEY


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """Collect what the API's entry points log, line by line."""
    lines: list[dict[str, Any]] = []

    class Lines(io.StringIO):
        def write(self, text: str) -> int:
            lines.extend(json.loads(line) for line in text.splitlines())
            return len(text)

    names = ("submit", "judge", "dialects", "result", "manage", "endpoints", "keys", "checks", "events")
    handlers = [cast("logging.StreamHandler[Any]", logger(name).registered_handler) for name in names]
    before = [handler.setStream(Lines()) for handler in handlers]
    yield lines
    for handler, stream in zip(handlers, before, strict=True):
        handler.setStream(stream)
