"""The network of a run: which hosts a request may name, and the evidence about its connections.

The runner has the same rule for names, and checks the addresses when it connects.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAX_ALLOWED = 32
MAX_EVIDENCE = 64
"""Entries of each list of the evidence."""
DEFAULT_PORT = 443
MAX_NAME_CHARS = 253
WILDCARD = "*."

_MAX_PORT = 65_535
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter: so no spelling of an IPv4 address is a name. Below `*.` are two labels or more.
_PATTERN = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
ENTRY_PATTERN = _PATTERN.pattern.replace("a-z", "A-Za-z").join("^$").replace("$", r"(?::[1-9][0-9]{0,4})?$")
"""For schemas: what an entry `name[:port]` looks like."""
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_EXAMPLE = "Write a host name, such as api.example.com, api.example.com:8443 or *.example.com."


def _checked_pattern(name: str) -> str:
    if name_problem(name) is not None:
        raise ValueError("not a host name")
    return name


def _checked_address(text: str) -> str:
    if str(ip_address(text)) != text:
        raise ValueError("not the canonical form")
    return text


Amount = Annotated[int, Field(ge=0, le=2**63 - 1)]
Port = Annotated[int, Field(ge=1, le=_MAX_PORT)]
HostPattern = Annotated[str, Field(max_length=MAX_NAME_CHARS), AfterValidator(_checked_pattern)]
HostName = Annotated[str, Field(max_length=MAX_NAME_CHARS, pattern=rf"^(?:{_LABEL}\.)+{_LABEL}$")]
QueriedName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^[!-~]*$")]
Address = Annotated[str, Field(max_length=45, pattern=r"^[0-9a-f.:]+$"), AfterValidator(_checked_address)]
Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[ -~]*$")]


def _is_none(value: object) -> bool:
    return value is None


class _Shape(BaseModel):
    """Strict and frozen. Unknown keys are dropped: a newer runner may send more. Errors do not quote the input."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class AllowedHost(_Shape):
    """A host and port that a run may connect to. A leading `*.` in the name stands for one or more labels."""

    name: HostPattern
    port: Port

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def sort_key(self) -> tuple[str, int]:
        """Order of a normalised list."""
        return self.name, self.port

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for the names below one."""
        return self.name.startswith(WILDCARD)

    def covers(self, other: Self) -> bool:
        """Whether all that `other` allows is allowed by this too."""
        if self.port != other.port:
            return False
        return self.name == other.name or (self.is_wildcard and other.name.endswith(self.name.removeprefix("*")))


class Network(_Shape):
    """The hosts that a run may reach."""

    allow: Annotated[tuple[AllowedHost, ...], Field(min_length=1, max_length=MAX_ALLOWED)]

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Build it from entries without a problem, each once and in order. Raises ValueError."""
        hosts = {allowed_host(entry) for entry in entries}
        return cls(allow=tuple(sorted(hosts, key=lambda host: host.sort_key)))

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries in their normal form, `name:port`."""
        return tuple(str(host) for host in self.allow)


class ConnectionEvidence(_Shape):
    """The connections of a run to one host and port.

    `address`: the last one tried; None: the name has none. `connections`: attempts, failed ones too. `first_error`:
    why the first failed connection failed; None if none did.
    """

    name: HostName
    port: Port
    address: Address | None
    connections: Amount
    bytes_sent: Amount
    bytes_received: Amount
    first_error: Reason | None


class RefusedTarget(_Shape):
    """A target that a run tried and may not reach: `name` as queried, or `address`.

    A name that was only looked up has no port. `reason`: which rule or limit refused it.
    """

    name: QueriedName | None = Field(default=None, exclude_if=_is_none)
    address: Address | None = Field(default=None, exclude_if=_is_none)
    port: Port | None = Field(default=None, exclude_if=_is_none)
    times: Annotated[int, Field(ge=1, le=2**63 - 1)]
    reason: Reason | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _name_or_address(self) -> Self:
        if (self.name is None) == (self.address is None):
            raise ValueError("needs either a name or an address")
        return self


ConnectionList = Annotated[tuple[ConnectionEvidence, ...], Field(max_length=MAX_EVIDENCE)]
RefusedList = Annotated[tuple[RefusedTarget, ...], Field(max_length=MAX_EVIDENCE)]


def allowed_host(entry: str) -> AllowedHost:
    """Parse `name[:port]`. Raises ValueError, whose text says why the entry is wrong, and the way out."""
    name, separator, port = entry.partition(":")
    name = name.lower()
    if "/" in entry or "@" in entry:
        raise ValueError(f"This looks like a URL. {_EXAMPLE}")
    if _is_address_literal(entry):
        raise ValueError(f"An address is not allowed: programs reach hosts by name only. {_EXAMPLE}")
    if (problem := name_problem(name)) is not None:
        raise ValueError(problem)
    if separator and not (_PORT.fullmatch(port) and int(port) <= _MAX_PORT):
        raise ValueError("The port must be a whole number from 1 to 65535, such as api.example.com:8443.")
    return AllowedHost(name=name, port=int(port) if separator else DEFAULT_PORT)


def name_problem(name: str) -> str | None:
    """Return why a program may not reach a host of this name, and the way out; None if it may."""
    if len(name) <= MAX_NAME_CHARS and _PATTERN.fullmatch(name):
        return None
    problems = (
        (not name.isascii(), f"A name has only ASCII characters. Write its ASCII form{_ascii_form(name)}."),
        (len(name) > MAX_NAME_CHARS, f"A name has at most {MAX_NAME_CHARS} characters."),
        ("_" in name, "A host name has no underscore."),
        ("*" in name, "A * stands only at the start, before at least two labels: *.example.com."),
        (name.endswith("."), "Leave out the dot at the end of the name."),
        ("." not in name, f"A name has at least two labels. {_EXAMPLE}"),
    )
    labels = f"Each label has 1 to 63 of a to z, 0 to 9 and -, and the last one begins with a letter. {_EXAMPLE}"
    return next((text for applies, text in problems if applies), labels)


def _is_address_literal(entry: str) -> bool:
    """Whether it is an address in any notation, perhaps with a port: all of them end in a number, or have brackets."""
    if entry.startswith("[") or entry.count(":") > 1:
        return True
    last_label = entry.partition(":")[0].rpartition(".")[2]
    return re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last_label) is not None


def _ascii_form(name: str) -> str:
    try:
        return f": {name.encode('idna').decode()}"
    except UnicodeError:
        return ""
