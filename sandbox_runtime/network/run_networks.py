"""The networks of a runner's runs: a namespace for each from the maker, served by the egress proxy."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from sandbox_runtime.jail import NEEDS_ROOT, probe_host, read_facts
from sandbox_runtime.network.model import AllowedHost, Listener, NetworkError, NetworkEvidence, NetworkTable
from sandbox_runtime.network.namespace_maker import MadeNamespace, NamespaceMaker
from sandbox_runtime.network.proxy.client import CODE, EgressProxy
from sandbox_runtime.network.proxy.messages import Alias
from sandbox_runtime.network.proxy.settings import HOST_NAME, ProxySettings
from sandbox_runtime.network.relay.client import Relays, RunRelay, SealedSecret
from sandbox_runtime.network.relay.rules import ALIAS_PORT


class Proxy(Protocol):
    """The egress proxy, or a test's replacement."""

    def open_run(
        self,
        run_id: str,
        hosts: Sequence[AllowedHost],
        listeners: Sequence[Listener],
        aliases: Sequence[Alias] = (),
        handover: int | None = None,
    ) -> None:
        """Serve the listeners of a run. The caller may close its copies of them. Raises NetworkError."""

    def close_run(self, run_id: str) -> NetworkEvidence:
        """Close all sockets of a run."""
        ...

    def close(self) -> None:
        """End the proxy."""


class RunNetwork:
    """The network of one run: a context that closes all its connections at the end.

    `namespace`: for `JailSpec.net_namespace`. `evidence`: complete after the end, which raises NetworkError if the
    proxy refused the run.
    """

    def __init__(self, run_id: str, made: MadeNamespace, proxy: Proxy, relay: RunRelay | None) -> None:
        self.namespace = made.fd
        self.evidence = NetworkEvidence()
        self._run_id, self._made, self._proxy, self._relay = run_id, made, proxy, relay

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.close()
        try:
            self.evidence = self._proxy.close_run(self._run_id)
        finally:
            if self._relay is not None:
                # After the proxy, which waits until the last requests are on their way.
                secrets, error = self._relay.close()
                self.evidence = replace(self.evidence, secrets=secrets, error=self.evidence.error or error)


class RunNetworks:
    """Owns the maker, the proxy and the relays. They start with the first run, and again after they died.

    Safe for threads. `relays`: None: this runner opens no secrets.
    """

    def __init__(self, proxy: Proxy, relays: Relays | None = None) -> None:
        self._proxy, self._relays = proxy, relays
        self._maker = NamespaceMaker()

    def open(self, run_id: str, hosts: Sequence[AllowedHost], secrets: Sequence[SealedSecret] = ()) -> RunNetwork:
        """Make the network of a run. Raises NetworkError."""
        aliases = [(sealed.secret.alias, sealed.secret.host, sealed.secret.port) for sealed in secrets]
        allowed = [*hosts, *(AllowedHost(alias, ALIAS_PORT) for alias, _, _ in aliases)]
        with ExitStack() as stack:
            relay = self._open_relay(secrets)
            if relay is not None:
                stack.callback(relay.close)
            made = self._maker.make(NetworkTable.of(allowed))
            try:
                stack.callback(made.close)
                handover = None if relay is None else relay.handover.fileno()
                self._proxy.open_run(run_id, allowed, made.listeners, aliases, handover)
            finally:
                made.close_listeners()
            stack.pop_all()
        if relay is not None:
            relay.handover.close()  # the proxy has its own
        return RunNetwork(run_id, made, self._proxy, relay)

    def _open_relay(self, secrets: Sequence[SealedSecret]) -> RunRelay | None:
        if not secrets:
            return None
        if self._relays is None:
            raise NetworkError("open the secrets of a run", "this runner has no right to open them")
        return self._relays.open(secrets)

    def close(self) -> None:
        self._proxy.close()
        self._maker.close()
        if self._relays is not None:
            self._relays.close()


# Whether this host can give runs a network: by a jail that has one, and a connection through the egress proxy.

_TRIAL_SECS = 10
# Enters the net namespace of the first argument, connects to the second and third, and reads one byte.
_CONNECT = """
import os, socket, sys
os.setns(int(sys.argv[1]), os.CLONE_NEWNET)
connected = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=5)
sys.exit(connected.recv(1) != b"!")
"""


def network_problem(proxy_code: str = CODE) -> str:
    """Run a program in a net namespace of the maker, and connect out of it to a listener of this process.

    Returns "", or why it fails and what to change. `proxy_code`: see `EgressProxy`.
    """
    if os.geteuid() != 0:
        return NEEDS_ROOT
    # The trial's proxy may reach the loopback of this host, for the listener alone: no program uses this proxy.
    proxy = EgressProxy(ProxySettings(allows_host=True, runs=1), proxy_code)
    networks = RunNetworks(proxy)
    try:
        with socket.create_server(("127.0.0.1", 0)) as target:
            return _problem(networks, target)
    except NetworkError as error:
        return f"{error}: {_remedy_for_proxy() if error.step == 'start the egress proxy' else _remedy()}"
    except OSError as error:
        return f"no connection on the loopback: {error.strerror}"
    finally:
        networks.close()


def _problem(networks: RunNetworks, target: socket.socket) -> str:
    """Raises NetworkError and OSError."""
    host = AllowedHost(HOST_NAME, target.getsockname()[1])
    with networks.open("trial", [host]) as network:
        support = probe_host(network.namespace)
        is_connected = support.failure is None and _connects(network.namespace, host, target)
    if support.failure is not None:
        return str(support.failure)
    if not support.is_strict:
        return f"not in force: {', '.join(support.missing)}"
    return "" if is_connected else f"no connection through the egress proxy{_reason(network.evidence)}"


def _connects(namespace: int, host: AllowedHost, target: socket.socket) -> bool:
    """Whether a process in the namespace reaches the listener and gets its answer."""
    _, _, address = NetworkTable.of([host]).literals[0]
    client = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CONNECT, str(namespace), address, str(host.port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        pass_fds=(namespace,),
    )
    try:
        _answer(target, client)
        return client.wait(_TRIAL_SECS) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        client.kill()
        client.wait()


def _answer(target: socket.socket, client: subprocess.Popen[bytes]) -> None:
    """Accept one connection and send one byte, unless the client fails first."""
    target.settimeout(0.1)
    for _ in range(_TRIAL_SECS * 10):
        with suppress(TimeoutError):
            connected, _ = target.accept()
            with connected:
                connected.sendall(b"!")
            return
        if client.poll() is not None:
            return


def _reason(evidence: NetworkEvidence) -> str:
    errors = [each.first_error for each in evidence.connections if each.first_error is not None]
    reason = next(iter(errors), evidence.error)
    text = f" ({reason})" if reason else ""
    return f"{text}: the runner's container must let a process of another user connect with TCP"


def _remedy() -> str:
    facts = read_facts()
    if facts.max_user_namespaces == 0:
        return "user namespaces are switched off: `sysctl -w user.max_user_namespaces=10000`"
    if facts.apparmor_profile is not None:
        return (
            f"AppArmor's profile {facts.apparmor_profile} must allow user namespaces, net_admin and net_bind_service: "
            "infra/runner/apparmor.profile does"
        )
    return "the runner needs CAP_SYS_ADMIN, and a filter that allows unshare(2)"


def _remedy_for_proxy() -> str:
    return "the runner needs CAP_SETUID, CAP_SETGID and CAP_SYS_CHROOT, and a filter that allows seccomp(2)"
