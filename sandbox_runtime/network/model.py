"""The allowed hosts of a run, their addresses inside its network namespace, and the evidence of their use."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Literal, Self

# The benchmark network of RFC 2544: no host of the Internet has one of its addresses.
POOL = IPv4Network("198.18.0.0/15")
_FIRST_LITERAL = IPv4Address("198.18.0.1")
FIRST_WILDCARD_ADDRESS = IPv4Address("198.19.0.1")
"""The proxy gives names below a wildcard the addresses from here on. Those of literal names lie below."""

# Not 127.0.0.1: a program's own listeners are there.
NAME_SERVER = "127.0.0.53"
DNS_PORT = 53
WILDCARD = "*."

ListenerKind = Literal["literal", "wildcard", "dns_udp", "dns_tcp"]


class NetworkError(Exception):
    """The network of a run cannot be made, or its maker or the proxy has died. `step`: the step that failed."""

    def __init__(self, step: str, problem: str = "") -> None:
        self.step, self.problem = step, problem
        super().__init__(f"{step}: {problem}" if problem else step)


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of a request. `pattern`: "api.example.com", or "*.example.org" for all names below it."""

    pattern: str
    port: int


@dataclass(frozen=True, slots=True)
class NetworkTable:
    """Allowed names of a run. `literals`: (name, port, pool address); `wildcards`: (suffix without `*.`, port)."""

    literals: tuple[tuple[str, int, str], ...]
    wildcards: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, hosts: Sequence[AllowedHost]) -> Self:
        """Give each literal name a pool address, the same one for all its ports."""
        literals = dict.fromkeys((host.pattern, host.port) for host in hosts if not host.pattern.startswith(WILDCARD))
        names = dict.fromkeys(name for name, _ in literals)
        addresses = {name: str(_FIRST_LITERAL + number) for number, name in enumerate(names)}
        wildcards = dict.fromkeys(
            (host.pattern.removeprefix(WILDCARD), host.port) for host in hosts if host.pattern.startswith(WILDCARD)
        )
        return cls(tuple((name, port, addresses[name]) for name, port in literals), tuple(wildcards))


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket in the namespace of a run. `port`: the port that it listens on."""

    fd: int
    kind: ListenerKind
    port: int


MAX_ENTRIES = 64
"""Most entries of each list of the evidence."""


class Failure(StrEnum):
    """Why a connection to an allowed name failed."""

    CONNECTION_REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    UNREACHABLE = "unreachable"
    NAME_NOT_FOUND = "name does not exist"
    LOOK_UP_FAILED = "name look-up failed"
    ADDRESS_REFUSED = "address refused"  # not public, or one of the runner's own
    CONNECTION_RESET = "connection reset"  # by the target, after it had accepted
    IDLE = "idle for too long"
    TOO_MANY_OPEN = "too many open connections"
    TOO_MANY_CONNECTIONS = "too many connections"
    TOO_MANY_BYTES = "too many bytes"
    TOO_MUCH_WORK = "too much work for the proxy"
    RUN_ENDED = "run ended before the connection was made"
    PROXY_FAILED = "proxy failed"


class Refusal(StrEnum):
    """Why a name or an address was refused."""

    NOT_ALLOWED = "not allowed"
    UNKNOWN_ADDRESS = "no name has this address"
    NAME_TOO_LONG = "name below a wildcard is too long"
    TOO_MANY_NAMES = "too many names below wildcards"
    TOO_MANY_QUERIES = "too many name look-ups"


@dataclass(frozen=True, slots=True)
class HostConnections:
    """Connections of a run to one port of one name. `address`: the one that the proxy connected to last.

    `connections`: also those that failed. `first_error`: that of the first one that failed.
    """

    name: str
    port: int
    address: str | None
    connections: int
    bytes_sent: int
    bytes_received: int
    first_error: Failure | None


@dataclass(frozen=True, slots=True)
class RefusedHost:
    """A name, or an address without a name, that a run asked for in vain. A name look-up has no port."""

    name: str | None
    address: str | None
    port: int | None
    times: int
    reason: Refusal


@dataclass(frozen=True, slots=True)
class SecretEvidence:
    """What a run did with a secret. `requests`: those that were sent to its host. `last_status`: of an answer, or 0.

    `refused`: requests that its rules forbid. `error`: why the first failed request failed, or "".
    """

    name: str
    host: str
    requests: int
    refused: int
    last_status: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class NetworkEvidence:
    """Connections of a run, at most 64 of each kind, and the bytes of all its connections.

    `left_out`: hosts and ports that `connections` has no place for.
    `error`: why the rest is missing or incomplete; "" when it is complete. `cause`: of the error, for the log.
    `secrets`: one entry for each secret of the run, from its relay.
    """

    connections: tuple[HostConnections, ...] = ()
    refused: tuple[RefusedHost, ...] = ()
    bytes_sent: int = 0
    bytes_received: int = 0
    left_out: int = 0
    error: str = ""
    cause: str = ""
    secrets: tuple[SecretEvidence, ...] = ()
