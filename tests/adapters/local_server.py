"""The local stack's AWS server, one for a module of tests. Import `server`, and name it in `__all__`."""

from collections.abc import Iterator

import pytest

from infra.local import ministack


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    state_dir = tmp_path_factory.mktemp("state")
    started = ministack.start_or_adopt(state_dir)
    yield started.url
    assert ministack.stop_and_save(started, state_dir) is None
