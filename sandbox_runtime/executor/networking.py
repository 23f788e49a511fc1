"""Run a step in the network that its request asks for, and report the use of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from events.evidence import Evidence
from events.network import ConnectionEvidence, RefusedTarget
from events.requested import ExecutionRequested
from events.vocabulary import Phase
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor.step_runs import StepRuns
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.network import AllowedHost, NetworkError, NetworkEvidence, RunNetwork
from sandbox_runtime.network.model import MAX_ENTRIES, WILDCARD, Failure, HostConnections


class Networks(Protocol):
    """The networks of a runner, or a test's replacement."""

    def open(self, run_id: str, hosts: Sequence[AllowedHost]) -> RunNetwork:
        """Make the network of a run. Raises NetworkError."""
        ...


def run_in_network(
    step_runs: StepRuns, spec: JailSpec, request: ExecutionRequested, networks: Networks | None
) -> tuple[Outcome, Classification, NetworkEvidence | None]:
    """Run a step in the network of its request, if it asks for one, and close all its connections.

    Raises NetworkError, JailError and ExecutionDrainedError.
    """
    if request.network is None:
        return *step_runs.run(spec, Phase.RUN), None
    if networks is None:
        raise NetworkError("open the network", "this runner does not offer it")
    hosts = [AllowedHost(host.name, host.port) for host in request.network.allow]
    with networks.open(request.execution_id, hosts) as network:
        # A waiting command has its namespaces already.
        outcome, found = step_runs.run(replace(spec, waiting=None, net_namespace=network.namespace), Phase.RUN)
    return outcome, found, _with_lost(network.evidence, hosts)


def _with_lost(used: NetworkEvidence, hosts: Sequence[AllowedHost]) -> NetworkEvidence:
    """After a failure of the proxy, each host has failed: a check must not pass by connections that nobody knows."""
    if not used.error:
        return used
    known = tuple(replace(host, first_error=host.first_error or Failure.PROXY_FAILED) for host in used.connections)
    named = dict.fromkeys((host.pattern.removeprefix(WILDCARD), host.port) for host in hosts)
    unknown = named.keys() - {(host.name, host.port) for host in known}
    lost = (HostConnections(*host, None, 0, 0, 0, Failure.PROXY_FAILED) for host in named if host in unknown)
    return replace(used, connections=(*known, *lost)[:MAX_ENTRIES])


def with_network(evidence: Evidence | None, used: NetworkEvidence | None) -> Evidence | None:
    """Add the use of the network to the evidence of a run."""
    if evidence is None or used is None:
        return evidence
    return evidence.changed(
        collection_errors=(*evidence.collection_errors, *([used.error] if used.error else ())),
        network=tuple(
            ConnectionEvidence(
                name=host.name,
                port=host.port,
                address=host.address,
                connections=host.connections,
                bytes_sent=host.bytes_sent,
                bytes_received=host.bytes_received,
                first_error=host.first_error,
            )
            for host in used.connections
        ),
        refused=tuple(
            RefusedTarget(
                times=target.times, name=target.name, address=target.address, port=target.port, reason=target.reason
            )
            for target in used.refused
        ),
        network_bytes=used.bytes_sent + used.bytes_received,
    )
