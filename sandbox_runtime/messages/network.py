"""The network of a run: the hosts that it may reach, and the evidence about its connections."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from sandbox_runtime.messages.codec import Check, MessageInvalidError
from sandbox_runtime.messages.rules import Count, PositiveCount, length, matching

MAX_ALLOWED = 32
MAX_EVIDENCE = 64
"""Entries of each list of the evidence."""
MAX_NAME_CHARS = 253
MAX_REASON_CHARS = 200

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter: so no spelling of an IPv4 address is a name. Below `*.` are two labels or more.
_PATTERN = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_PRINTABLE = re.compile(r"[!-~]*")
_SENTENCE = re.compile(r"[ -~]*")


def is_host_pattern(text: str) -> bool:
    """A host name in lower-case ASCII with two labels or more, perhaps below a leading `*.`."""
    return len(text) <= MAX_NAME_CHARS and _PATTERN.fullmatch(text) is not None


def _is_address(text: str) -> bool:
    try:
        return str(ip_address(text)) == text and "%" not in text
    except ValueError:
        return False


Port = Annotated[int, Check(lambda port: 1 <= port < 1 << 16, "a port, 1 to 65535")]
HostPattern = Annotated[str, Check(is_host_pattern, "a host name, perhaps with a leading *.")]
HostName = Annotated[str, length(1, MAX_NAME_CHARS), matching(_HOST_NAME, "a host name")]
QueriedName = Annotated[str, length(1, MAX_NAME_CHARS), matching(_PRINTABLE, "printable ASCII without spaces")]
Address = Annotated[str, Check(_is_address, "an IP address in its canonical form")]
Reason = Annotated[str, length(1, MAX_REASON_CHARS), matching(_SENTENCE, "printable ASCII")]


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """A host and port that a run may connect to. A leading `*.` in the name stands for one or more labels."""

    name: HostPattern
    port: Port


@dataclass(frozen=True, slots=True)
class Network:
    """The hosts that a run may reach."""

    allow: Annotated[tuple[AllowedHost, ...], length(1, MAX_ALLOWED)]


@dataclass(frozen=True, slots=True)
class ConnectionEvidence:
    """The connections of a run to one host and port.

    `address`: the last one tried; None: the name has none. `connections`: attempts, failed ones too. `first_error`:
    why the first failed connection failed; None if none did.
    """

    name: HostName
    port: Port
    address: Address | None
    connections: Count
    bytes_sent: Count
    bytes_received: Count
    first_error: Reason | None


@dataclass(frozen=True, slots=True)
class RefusedTarget:
    """A target that a run tried and may not reach: `name` as queried, or `address`.

    `port`: None for a refused name, which was only looked up. `reason`: which rule or limit refused it.
    """

    times: PositiveCount
    name: QueriedName | None = None
    address: Address | None = None
    port: Port | None = None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        if (self.name is None) == (self.address is None):
            raise MessageInvalidError("refused", "must have either a name or an address")


ConnectionList = Annotated[tuple[ConnectionEvidence, ...], length(0, MAX_EVIDENCE)]
RefusedList = Annotated[tuple[RefusedTarget, ...], length(0, MAX_EVIDENCE)]
