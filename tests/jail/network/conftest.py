"""Runs with network through the whole chain: slot, maker, egress proxy, and targets on the loopback."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from events.completed import ExecutionCompleted
from events.network import AllowedHost, Network
from sandbox_runtime.executor import CompileCache, execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language
from sandbox_runtime.network import RunNetworks
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings
from tests.jail.decided import decided
from tests.jail.guest_requests import Run, request
from tests.jail.network.targets import HOST, Targets, targets


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    """The targets."""
    with targets(tmp_path_factory.mktemp("certificate")) as opened:
        yield opened


@pytest.fixture(scope="session")
def proxy() -> EgressProxy:
    """A proxy that reaches the loopback, as in development. `networks` closes it."""
    return EgressProxy(ProxySettings(allows_host=True))


@pytest.fixture(scope="session")
def networks(proxy: EgressProxy) -> Iterator[RunNetworks]:
    """The networks of a runner."""
    made = RunNetworks(proxy)
    yield made
    made.close()


@pytest.fixture
def run_with_network(
    slot: Slot, languages: Mapping[str, Language], compiled: CompileCache, networks: RunNetworks, served: Targets
) -> Run:
    """`run_with_network(language, code, allow=[(name, port)], ...)`; by default all targets are allowed."""

    def run_program(
        language: str, code: str, allow: list[tuple[str, int]] | None = None, **options: object
    ) -> ExecutionCompleted:
        hosts = allow if allow is not None else [(HOST, port) for port in served.ports]
        asked = request(language, code.encode(), profile="agent", **options)  # type: ignore[arg-type] # passed through
        asked = asked.changed(network=Network(tuple(AllowedHost(name, port) for name, port in hosts)))

        def run_once() -> ExecutionCompleted:
            completed = execute(
                slot,
                asked,
                languages[language],
                node_id="tests",
                started_at=datetime.now(UTC),
                compile_cache=compiled,
                networks=networks,
            )
            slot.settle()
            return completed

        return decided(run_once)

    return run_program
