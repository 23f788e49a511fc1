"""Messages between the runner and the egress proxy: JSON on a SEQPACKET socket, one answer to each request.

The proxy handles data of hostile programs and hosts. So the runner checks each answer, and takes no descriptor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any

from sandbox_runtime.network.confinement import Message
from sandbox_runtime.network.model import (
    MAX_ENTRIES,
    AllowedHost,
    Failure,
    HostConnections,
    Listener,
    NetworkError,
    NetworkEvidence,
    Refusal,
    RefusedHost,
)
from sandbox_runtime.network.proxy.settings import ProxySettings, RunLimits

_MAX_NAME_CHARS, _MAX_NUMBER = 253, 1 << 53


type Alias = tuple[str, str, int]
"""A name inside the run, and the host and port that it leads to."""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Serve these listeners. With the message come the descriptor of the run's `byte_counts`, then the listeners.

    `aliases`: names that lead to a host's port through the relay of the run, whose end comes first then.
    """

    run_id: str
    hosts: tuple[AllowedHost, ...]
    listeners: tuple[tuple[str, int], ...]  # kind and port
    aliases: tuple[Alias, ...] = ()

    def message(self) -> Message:
        """Return the message without its descriptors."""
        hosts = [[host.pattern, host.port] for host in self.hosts]
        listeners, aliases = list(map(list, self.listeners)), list(map(list, self.aliases))
        return {"kind": "open", "run": self.run_id, "hosts": hosts, "listeners": listeners, "aliases": aliases}

    @classmethod
    def of(
        cls, run_id: str, hosts: Sequence[AllowedHost], listeners: Sequence[Listener], aliases: Sequence[Alias] = ()
    ) -> "OpenRequest":
        """Build the request of a run."""
        kinds = tuple((listener.kind, listener.port) for listener in listeners)
        return cls(run_id, tuple(hosts), kinds, tuple(aliases))


def settings_message(settings: ProxySettings, uid: int, entry_fds: Sequence[int]) -> Message:
    """Return the first message: settings, user id, and descriptors through which the process enters its groups."""
    return {"settings": asdict(settings), "uid": uid, "entry_fds": list(entry_fds)}


def settings_from(message: Message) -> ProxySettings:
    """Return the settings of the first message."""
    found = message["settings"]
    return ProxySettings(
        resolvers=tuple((address, port) for address, port in found["resolvers"]),
        allows_host=found["allows_host"],
        refused_host_ports=tuple(found["refused_host_ports"]),
        limits=RunLimits(**found["limits"]),
        runs=found["runs"],
    )


def evidence_message(evidence: NetworkEvidence) -> Message:
    """Return the evidence as an answer."""
    return asdict(evidence)


def evidence_from(answer: Message) -> NetworkEvidence:
    """Check and return the evidence in an answer. Raises NetworkError."""
    try:
        return NetworkEvidence(
            connections=tuple(map(_connections, _entries(answer["connections"]))),
            refused=tuple(map(_refused, _entries(answer["refused"]))),
            bytes_sent=_number(answer["bytes_sent"]),
            bytes_received=_number(answer["bytes_received"]),
            left_out=_number(answer["left_out"]),
            error=_text(answer["error"]),
            cause=_text(answer["cause"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NetworkError("read the evidence of the egress proxy", type(error).__name__) from error


def _entries(found: object) -> list[Mapping[str, Any]]:
    if not (isinstance(found, list) and len(found) <= MAX_ENTRIES and all(isinstance(entry, dict) for entry in found)):
        raise ValueError
    return found


def _connections(entry: Mapping[str, Any]) -> HostConnections:
    return HostConnections(
        name=_text(entry["name"]),
        port=_number(entry["port"]),
        address=_address(entry["address"]),
        connections=_number(entry["connections"]),
        bytes_sent=_number(entry["bytes_sent"]),
        bytes_received=_number(entry["bytes_received"]),
        first_error=None if entry["first_error"] is None else Failure(entry["first_error"]),
    )


def _refused(entry: Mapping[str, Any]) -> RefusedHost:
    return RefusedHost(
        name=None if entry["name"] is None else _text(entry["name"]),
        address=_address(entry["address"]),
        port=None if entry["port"] is None else _number(entry["port"]),
        times=_number(entry["times"]),
        reason=Refusal(entry["reason"]),
    )


def _number(found: object) -> int:
    if type(found) is not int or not 0 <= found <= _MAX_NUMBER:
        raise ValueError
    return found


def _text(found: object) -> str:
    if not (isinstance(found, str) and len(found) <= _MAX_NAME_CHARS and found.isascii() and found.isprintable()):
        raise ValueError
    return found


def _address(found: object) -> str | None:
    return None if found is None else str(ip_address(_text(found)))
