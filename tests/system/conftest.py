"""One local stack for the whole session; tests that break one bring their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import NAMED_HOST, LocalStack
from tests.system.webhook_inbox import Inbox, open_inbox

SMALL = {"RUSTBOX_PARAM_OfferedLanguages": "python", "SLOTS": "2", "RUSTBOX_PROCESSES": "1"}
"""Few slots, processes and languages start sooner."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with _running(LocalStack(tmp_path_factory.mktemp("stack") / "state", RUSTBOX_HOSTS=NAMED_HOST)) as local:
        yield local


@pytest.fixture(scope="session")
def killed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Give a small stack whose processes tests kill. Each waits until the next one works."""
    with _running(LocalStack(tmp_path_factory.mktemp("killed") / "state", DRAIN_SECS="1", **SMALL)) as local:
        yield local


@contextmanager
def _running(local: LocalStack) -> Iterator[LocalStack]:
    try:
        local.start()
        yield local
    finally:
        code = local.stop()
        local.close()
    assert code == 0, local.log()


@pytest.fixture(scope="session")
def client(stack: LocalStack) -> Iterator[httpx.Client]:
    with stack.client() as opened:
        yield opened


@pytest.fixture(scope="session")
def other_client(stack: LocalStack) -> Iterator[httpx.Client]:
    """Give a client of another project."""
    with stack.client(stack.add_project("other")) as opened:
        yield opened


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Callable[..., LocalStack]]:
    """Make stacks for one test; none of their processes outlives it."""
    with _small_stacks(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def small_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LocalStack]]:
    """Make stacks for the tests of one module: each start takes seconds."""
    with _small_stacks(tmp_path_factory.mktemp("stacks")) as make:
        yield make


@contextmanager
def _small_stacks(folder: Path) -> Iterator[Callable[..., LocalStack]]:
    made: list[LocalStack] = []

    def make(**variables: str) -> LocalStack:
        local = LocalStack(folder / f"state{len(made)}", **SMALL | variables)
        made.append(local)
        return local

    yield make
    for local in made:
        local.close()
