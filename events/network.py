"""The network of a run: which hosts a request may name, and the evidence about its connections.

A runner checks the addresses when it connects.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from msgspec import Meta
from msgspec import json as json_of

from events import MessageInvalidError
from events.message import Count, PositiveCount, Shape, exactly

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


MAX_SECRETS = 8
"""Of a run."""
ALIAS_SUFFIX = ".secrets.rustbox.internal"
OWN_NAMES = ".rustbox.internal"
"""Names of the service inside a run. Only `host` of them is a host, in development."""
HOST_NAME = "host" + OWN_NAMES
MAX_BOX_BYTES = 6_144
MAX_RULES = 16
NAME_OF_SECRET = "[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"  # noqa: S105 - a pattern
PARAMETER_PATTERN = "(?:[A-Za-z][A-Za-z0-9_-]{0,63})"
PATH_PATTERN = "/[!$&'()*+,./0-9:=@A-Z_a-z~-]{0,199}"

SecretName = Annotated[str, exactly(NAME_OF_SECRET)]
Port = Annotated[int, Meta(ge=1, le=_MAX_PORT)]
HostPattern = Annotated[str, Meta(max_length=MAX_NAME_CHARS), exactly(_PATTERN.pattern)]
HostName = Annotated[str, Meta(max_length=MAX_NAME_CHARS), exactly(rf"(?:{_LABEL}\.)+{_LABEL}")]
QueriedName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS), exactly("[!-~]*")]
Address = Annotated[str, Meta(max_length=45), exactly("[0-9a-f.:]+")]
Reason = Annotated[str, Meta(min_length=1, max_length=200), exactly("[ -~]*")]


class AllowedHost(Shape, frozen=True):
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


class Network(Shape, frozen=True):
    """The hosts that a run may reach."""

    allow: Annotated[tuple[AllowedHost, ...], Meta(min_length=1, max_length=MAX_ALLOWED)]

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Build it from entries without a problem, each once and in order. Raises ValueError."""
        hosts = {allowed_host(entry) for entry in entries}
        return cls(allow=tuple(sorted(hosts, key=lambda host: host.sort_key)))

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries in their normal form, `name:port`."""
        return tuple(str(host) for host in self.allow)


class NetworkSecret(Shape, frozen=True, rename={"box": "box_base64"}):
    """A secret that the runner's relay adds to requests of a run to `host`; the program never sees its value.

    `box`: the value, sealed for the project and for all other fields. `placement`: where the value goes; `parameter`:
    the name of the header or of the query's parameter. `methods`, `paths`: what a request may use; None: all.
    """

    name: SecretName
    host: HostName
    port: Port
    placement: Literal["bearer", "basic", "header", "query"]
    box: Annotated[bytes, Meta(min_length=1, max_length=MAX_BOX_BYTES)]
    parameter: Annotated[str, exactly(PARAMETER_PATTERN)] | None = None
    methods: Annotated[tuple[Annotated[str, exactly("[A-Z]{1,16}")], ...], Meta(max_length=MAX_RULES)] | None = None
    paths: Annotated[tuple[Annotated[str, exactly(PATH_PATTERN)], ...], Meta(max_length=MAX_RULES)] | None = None

    def __post_init__(self) -> None:
        if (self.parameter is not None) != (self.placement in {"header", "query"}):
            raise MessageInvalidError("parameter", "belongs to the placements header and query, which need it")

    @property
    def target(self) -> str:
        """The entry of a network that its host is."""
        return f"{self.host}:{self.port}"

    @property
    def alias(self) -> str:
        """The name of the host inside the run."""
        return self.name + ALIAS_SUFFIX

    @property
    def variable(self) -> str:
        """The environment variable with the address of the alias."""
        return variable_of_secret(self.name)

    def context(self, project_id: str) -> dict[str, str]:
        """Return the encryption context of the box. Another project, host or rule needs another box.

        `rules`: SHA-256 of all fields but the box, as a JSON list.
        """
        fields = [self.host, self.port, self.placement, self.parameter, self.methods or (), self.paths or ()]
        rules = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
        return {"project_id": project_id, "endpoint_id": f"secret:{self.name}", "purpose": "network", "rules": rules}


SecretList = Annotated[tuple[NetworkSecret, ...], Meta(min_length=1, max_length=MAX_SECRETS)]


class SecretUse(Shape, frozen=True):
    """What a run did with a secret. `requests`: those sent to its host; `refused`: those that its rules forbid.

    `last_status`: of the host's last answer; None: it gave none. `first_error`: of the first request that failed.
    """

    name: SecretName
    host: HostName
    requests: Count
    refused: Count
    last_status: Annotated[int, Meta(ge=100, le=999)] | None
    first_error: Reason | None


SecretUseList = Annotated[tuple[SecretUse, ...], Meta(max_length=MAX_SECRETS)]


def write_secrets(secrets: tuple[NetworkSecret, ...]) -> bytes:
    """Return secrets as JSON, as a message has them."""
    return json_of.encode(secrets)


def read_secrets(text: bytes | None) -> tuple[NetworkSecret, ...]:
    """Return secrets of JSON; none of None or an empty text."""
    return json_of.decode(text, type=tuple[NetworkSecret, ...]) if text else ()


def check_secrets(secrets: tuple[NetworkSecret, ...]) -> None:
    """Refuse two secrets whose variable is the same. Raises MessageInvalidError."""
    if len({secret.variable for secret in secrets}) < len(secrets):
        raise MessageInvalidError("secrets", "must have each name once")


def variable_of_secret(name: str) -> str:
    """Return the environment variable that a program gets for a secret."""
    return f"RUSTBOX_SECRET_{name.upper().replace('-', '_')}_URL"


class ConnectionEvidence(Shape, frozen=True):
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

    def __post_init__(self) -> None:
        _check_address(self.address)


class RefusedTarget(Shape, frozen=True, kw_only=True):
    """A target that a run tried and may not reach: `name` as queried, or `address`.

    A name that was only looked up has no port. `reason`: which rule or limit refused it.
    """

    ONE_OF = ("name", "address")

    name: QueriedName | None = None
    address: Address | None = None
    port: Port | None = None
    times: PositiveCount
    reason: Reason | None = None

    def __post_init__(self) -> None:
        self.check_one_of()
        _check_address(self.address)


ConnectionList = Annotated[tuple[ConnectionEvidence, ...], Meta(max_length=MAX_EVIDENCE)]
RefusedList = Annotated[tuple[RefusedTarget, ...], Meta(max_length=MAX_EVIDENCE)]


def allowed_host(entry: str) -> AllowedHost:
    """Parse `name[:port]`. Raises ValueError, whose text says why the entry is wrong, and the way out."""
    name, separator, port = entry.partition(":")
    name = name.lower() if name.isascii() else name  # the kelvin sign would become a k
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
    if len(name) <= MAX_NAME_CHARS and _PATTERN.fullmatch(name) and not is_own_name(name):
        return None
    problems = (
        (not name.isascii(), f"A name has only ASCII characters. Write its ASCII form{_ascii_form(name)}."),
        (len(name) > MAX_NAME_CHARS, f"A name has at most {MAX_NAME_CHARS} characters."),
        ("_" in name, "A host name has no underscore."),
        ("*" in name, "A * stands only at the start, before at least two labels: *.example.com."),
        (name.endswith("."), "Leave out the dot at the end of the name."),
        ("." not in name, f"A name has at least two labels. {_EXAMPLE}"),
        (is_own_name(name), f"Names below {OWN_NAMES.lstrip('.')} are the service's own."),
    )
    labels = f"Each label has 1 to 63 of a to z, 0 to 9 and -, and the last one begins with a letter. {_EXAMPLE}"
    return next((text for applies, text in problems if applies), labels)


def is_own_name(name: str) -> bool:
    """Whether a name is the service's own inside a run, and so never a host outside."""
    return f".{name}".endswith(OWN_NAMES) and name != HOST_NAME


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


def _check_address(text: str | None) -> None:
    try:
        is_canonical = text is None or str(ip_address(text)) == text
    except ValueError:
        is_canonical = False
    if not is_canonical:
        raise MessageInvalidError("address", "must be an IP address in its canonical form")
