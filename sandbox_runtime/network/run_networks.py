"""The networks of a runner's runs: a namespace for each from the maker, served by the egress proxy."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from sandbox_runtime.network.model import AllowedHost, Listener, NetworkEvidence, NetworkTable
from sandbox_runtime.network.namespace_maker import MadeNamespace, NamespaceMaker


class Proxy(Protocol):
    """The egress proxy, or a test's replacement."""

    def open_run(self, run_id: str, hosts: Sequence[AllowedHost], listeners: Sequence[Listener]) -> None:
        """Serve the listeners of a run. The caller may close its copies of them. Raises NetworkError."""

    def close_run(self, run_id: str) -> NetworkEvidence:
        """Close all sockets of a run."""
        ...

    def close(self) -> None:
        """End the proxy."""


class RunNetwork:
    """The network of one run: a context that closes all its connections at the end.

    `namespace`: for `JailSpec.net_namespace`. `evidence`: complete after the end.
    """

    def __init__(self, run_id: str, made: MadeNamespace, proxy: Proxy) -> None:
        self.namespace = made.fd
        self.evidence = NetworkEvidence()
        self._run_id, self._made, self._proxy = run_id, made, proxy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.close()
        self.evidence = self._proxy.close_run(self._run_id)


class RunNetworks:
    """Owns the maker and the proxy. Both start with the first run, and again after they died. Safe for threads."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._maker = NamespaceMaker()

    def open(self, run_id: str, hosts: Sequence[AllowedHost]) -> RunNetwork:
        """Make the network of a run. Raises NetworkError."""
        made = self._maker.make(NetworkTable.of(hosts))
        try:
            self._proxy.open_run(run_id, hosts, made.listeners)
        except BaseException:
            made.close()
            raise
        finally:
            made.close_listeners()
        return RunNetwork(run_id, made, self._proxy)

    def close(self) -> None:
        """End both processes."""
        self._proxy.close()
        self._maker.close()
