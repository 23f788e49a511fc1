"""Fixtures of the engine, moto and an unpatched ministack."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from infra.embedded.engine import Engine, open_engine
from tests.embedded.backend import Backend, make_session, session_of
from tests.emulator import emulator


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(tmp_path / "engine", synchronous="NORMAL")
    yield opened
    opened.close()


@pytest.fixture
def aws(engine: Engine) -> Backend:
    """The engine alone."""
    return Backend("engine", session_of(engine))


OTHERS = [pytest.param(name, marks=pytest.mark.whole) for name in ("moto", "ministack")]


@pytest.fixture(params=["engine", *OTHERS])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "moto":
        with mock_aws():
            yield Backend("moto", make_session())
    elif request.param == "engine":
        yield request.getfixturevalue("aws")
    else:
        yield Backend("ministack", make_session(), request.getfixturevalue("ministack_url"))


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("ministack")) as server:
        yield server.url


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)  # also where a failed test holds it open
