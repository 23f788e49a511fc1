"""The world, and proxies with and without a control."""

from collections.abc import Iterator

import pytest

from sandbox_runtime.network.proxy import EgressProxy
from sandbox_runtime.network.proxy.client import CODE
from tests.jail.egress.weaknesses import Proxies, weakened
from tests.jail.egress.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World() as entered:
        yield entered


@pytest.fixture(scope="session")
def proxies() -> Iterator[Proxies]:
    """`proxies(control)`: a proxy without this control; "": with all of them."""
    made: dict[str, EgressProxy] = {}

    def get(without: str = "") -> EgressProxy:
        if without not in made:
            settings, code = weakened(without)
            made[without] = EgressProxy(settings, f"{code}\n{CODE}")
        return made[without]

    yield get
    for proxy in made.values():
        proxy.close()
