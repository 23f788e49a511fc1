"""Run the steps of one request. On an overloaded host they may take longer, within one overtime for all of them.

On a busy host a step goes on beyond its wall limit. One that a host without memory killed runs again.
The sweeper takes a run for lost after compile + wall + 60 s, so the overtime is well below 60 s.
"""

import logging
import select
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from events.evidence import Evidence
from events.network import ConnectionEvidence, NetworkSecret, RefusedTarget, SecretUse
from events.requested import ExecutionRequested
from events.vocabulary import Cause, Phase
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor.report import slot_is_suspect
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason
from sandbox_runtime.network import AllowedHost, NetworkError, NetworkEvidence, RunNetwork
from sandbox_runtime.network.model import MAX_ENTRIES, WILDCARD, Failure, HostConnections
from sandbox_runtime.network.relay.client import SealedSecret
from sandbox_runtime.network.relay.rules import Secret

# The stop of one request: by its project, or because the runner drains.


@dataclass(eq=False, slots=True)
class RunStop:
    """`fd`: becomes readable to stop the request, and stays so. `is_cancelled`: its project stopped it, for good.

    Without that the runner drains: the request has no result, and must run again.
    """

    fd: int
    is_cancelled: bool = False


MOST_OVERTIME_SECS = 30.0
REPEAT_PAUSES_SECS = (0.5, 2.0)
"""Before each repeat of a step: other programs of the host may end meanwhile."""

_LOG = logging.getLogger(__name__)


class ExecutionDrainedError(Exception):
    """The runner drains, so it stopped the run. It has no result, and the request must be run again."""


def was_drained(outcome: Outcome, stop: RunStop | None) -> bool:
    """Whether the run was stopped and must run again. A guest that cannot be killed must not run again."""
    is_stopped = outcome.stop_reason is StopReason.CANCELLED and outcome.evidence.cleanup_verified
    return is_stopped and (stop is None or not stop.is_cancelled)


class Jail(Protocol):
    """A slot, or a test's replacement."""

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run one step. The sandbox may still be cleaned up when this returns. Raises JailError."""
        ...


class StepRuns:
    """The steps of one request. `stop`: stops it. `overtime_secs`: what is left for all steps.

    `is_slot_suspect`: the platform failed in a step, perhaps because of the slot.
    """

    def __init__(self, jail: Jail, stop: RunStop | None, overtime_secs: float = MOST_OVERTIME_SECS) -> None:
        self.jail, self.stop = jail, stop
        self.overtime_secs = overtime_secs
        self.is_slot_suspect = False

    def run(self, spec: JailSpec, phase: Phase) -> tuple[Outcome, Classification]:
        """Run a step, again if `must_repeat`. With network it runs once: its hosts would see its requests again.

        Raises JailError and ExecutionDrainedError.
        """
        repeats = 0
        while True:
            outcome = self.jail.answer(self.with_overtime(spec), cancel_fd=None if self.stop is None else self.stop.fd)
            if was_drained(outcome, self.stop):
                raise ExecutionDrainedError
            found = self.classified(spec, outcome, phase)
            if spec.net_namespace is not None or not self.must_repeat(outcome, found, repeats):
                return outcome, found
            repeats += 1

    def must_repeat(self, outcome: Outcome, found: Classification, repeats: int) -> bool:
        """Whether to run a step again, after `repeats` repeats: a host without memory killed it. If so, wait first."""
        is_killed_by_host = found.cause is Cause.IE_HOST_OVERLOADED and outcome.stop_reason is StopReason.OOM_KILL
        if not is_killed_by_host or repeats >= len(REPEAT_PAUSES_SECS):
            return False
        pause_secs = REPEAT_PAUSES_SECS[repeats]
        used_secs = pause_secs + outcome.wall_usec / 1e6
        _LOG.warning("host out of memory, a step was killed", extra={"step": found.phase.value})
        if used_secs > self.overtime_secs:
            return False
        self.overtime_secs -= used_secs
        _sleep_or_stop(pause_secs, self.stop)
        return True

    def with_overtime(self, spec: JailSpec) -> JailSpec:
        """Let a step use the overtime that is left."""
        return replace(spec, overtime_secs=self.overtime_secs)

    def classified(self, spec: JailSpec, outcome: Outcome, phase: Phase = Phase.RUN) -> Classification:
        """Classify the outcome of a step, subtract its overtime, and note whether its slot is suspect."""
        over_secs = outcome.wall_usec / 1e6 - spec.limits.wall_time_secs
        if over_secs > 0 and outcome.own_wall_usec < outcome.wall_usec:
            self.overtime_secs = max(0.0, self.overtime_secs - over_secs)
            facts = {"step": phase.value, "cpu_wait_ms": outcome.cpu_wait_usec // 1000, "overtime_ms": over_secs * 1000}
            _LOG.warning("host overloaded, a step took longer", extra=facts)
        return self.note(outcome, phase)

    def note(self, outcome: Outcome, phase: Phase = Phase.RUN) -> Classification:
        """Classify the outcome of a program beside a step, and note whether its slot is suspect."""
        found = classify(outcome, phase)
        self.is_slot_suspect |= slot_is_suspect(found)
        return found


def _sleep_or_stop(secs: float, stop: RunStop | None) -> None:
    """Wait, until the request is stopped."""
    poll = select.poll()
    if stop is not None:
        poll.register(stop.fd, select.POLLIN)
    poll.poll(secs * 1000)


# Run a step in the network that its request asks for, and report the use of it.


IDEMPOTENCY_VARIABLE = "RUSTBOX_IDEMPOTENCY_KEY"


class Networks(Protocol):
    """The networks of a runner, or a test's replacement."""

    def open(self, run_id: str, hosts: Sequence[AllowedHost], secrets: Sequence[SealedSecret] = ()) -> RunNetwork:
        """Make the network of a run. Raises NetworkError."""
        ...


def run_in_network(
    step_runs: StepRuns, spec: JailSpec, request: ExecutionRequested, networks: Networks | None
) -> tuple[Outcome, Classification, NetworkEvidence | None]:
    """Run a step in the network of its request, if it asks for one, and close all its connections.

    Raises NetworkError, JailError and ExecutionDrainedError.
    """
    if not request.needs_network:
        return *step_runs.run(spec, Phase.RUN), None
    if networks is None:
        raise NetworkError("open the network", "this runner does not offer it")
    allowed = () if request.network is None else request.network.allow
    hosts = [AllowedHost(host.name, host.port) for host in allowed]
    secrets = [_sealed(secret, request.project_id) for secret in request.secrets or ()]
    with networks.open(request.execution_id, hosts, secrets) as network:
        # A waiting command has its namespaces already.
        outcome, found = step_runs.run(replace(spec, waiting=None, net_namespace=network.namespace), Phase.RUN)
    hosts += [AllowedHost(secret.host, secret.port) for secret in request.secrets or ()]
    return outcome, found, _with_lost(network.evidence, hosts)


def _sealed(secret: NetworkSecret, project_id: str) -> SealedSecret:
    rules = Secret(
        secret.name,
        secret.host,
        secret.port,
        secret.placement,
        secret.parameter or "",
        secret.methods or (),
        secret.paths or (),
    )
    return SealedSecret(rules, secret.context(project_id), secret.box)


def secret_variables(request: ExecutionRequested) -> dict[str, str]:
    """Return the variables that tell a program where its secrets are used, and what marks all attempts of its run."""
    if request.secrets is None:
        return {}
    addresses = {secret.variable: f"http://{secret.alias}" for secret in request.secrets}
    return {**addresses, IDEMPOTENCY_VARIABLE: request.submission_id}


def _with_lost(used: NetworkEvidence, hosts: Sequence[AllowedHost]) -> NetworkEvidence:
    """After a failure of the proxy, each host has failed: a check must not pass by connections that nobody knows."""
    if not used.error:
        return used
    known = tuple(replace(host, first_error=host.first_error or Failure.PROXY_FAILED) for host in used.connections)
    named = dict.fromkeys((host.pattern.removeprefix(WILDCARD), host.port) for host in hosts)
    unknown = named.keys() - {(host.name, host.port) for host in known}
    lost = (HostConnections(*host, None, 0, 0, 0, Failure.PROXY_FAILED) for host in named if host in unknown)
    shown = (*known, *lost)
    left_out = used.left_out + max(0, len(shown) - MAX_ENTRIES)
    return replace(used, connections=shown[:MAX_ENTRIES], left_out=left_out)


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
        network_left_out=used.left_out or None,
        refused=tuple(
            RefusedTarget(
                times=target.times, name=target.name, address=target.address, port=target.port, reason=target.reason
            )
            for target in used.refused
        ),
        network_bytes=used.bytes_sent + used.bytes_received,
        secrets=tuple(
            SecretUse(
                name=secret.name,
                host=secret.host,
                requests=secret.requests,
                refused=secret.refused,
                last_status=secret.last_status or None,
                first_error=secret.error or None,
            )
            for secret in used.secrets
        )
        or None,
    )
