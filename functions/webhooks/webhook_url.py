"""Address checks: allowed webhook URLs (stage 1) and allowed IP addresses (stage 2).

This is the only URL parser: requests use the host, port and path of a `Destination`. Two parsers that disagree about
the host are the classic bypass of such checks.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal
from urllib.parse import urlsplit

from events.addresses import is_public
from functions.errors import FieldProblem
from functions.settings import Settings

MAX_URL_CHARS = 2048
MAX_HOST_CHARS = 253
MAX_PORT = 65535
PUBLIC_PORTS = frozenset({443, 8443})
DEFAULT_PORTS = {"https": 443, "http": 80}
RESERVED_SUFFIXES = frozenset(
    (
        "localhost",
        "local",
        "internal",
        "localdomain",
        "home.arpa",
        "lan",
        "corp",
        "intranet",
        "onion",
        "test",
        "invalid",
    )
)

AddressCode = Literal[
    "bad_syntax", "bad_scheme", "bad_port", "userinfo", "fragment", "ip_literal", "reserved_name", "blocked_address"
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_LOOPBACK_V4 = ipaddress.IPv4Network("127.0.0.0/8")
_WAY_OUT = "; `rustbox listen` forwards events to a program on your own machine"


_MAILBOX = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
"""The part before the @: plain letters, without quotes, routes (`%`, `!`) and comments."""
_MAX_MAILBOX_CHARS = 64
ANY_DOMAIN = "*"


class AddressRefusedError(Exception):
    """We do not send to this target. `message` may be shown to the client."""

    def __init__(self, code: AddressCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Destination:
    """Destination of a request. `host` is lower case without a trailing dot; `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str


def check_url(url: str, *, allow_insecure: bool = False, own_host: str = "") -> Destination:
    """Parse and check a webhook URL without network access; raises AddressRefusedError.

    `own_host`: host name of our own API. `allow_insecure` is for development: it allows http, any port, `localhost`,
    literal loopback addresses, and a receiver on the host of the API.
    """
    scheme, authority, path = _split(url)
    if scheme != "https" and not (allow_insecure and scheme == "http"):
        raise AddressRefusedError("bad_scheme", "the webhook URL must begin with https://")
    if "@" in authority:
        raise AddressRefusedError("userinfo", "the webhook URL must not hold a user name or password")
    host_text, port = _split_port(authority, DEFAULT_PORTS[scheme])
    if not allow_insecure and port not in PUBLIC_PORTS:
        raise AddressRefusedError("bad_port", "the port of a webhook URL must be 443 or 8443")
    host = _check_host(host_text, allow_insecure=allow_insecure)
    if own_host and not allow_insecure and host == own_host.lower().removesuffix("."):
        raise AddressRefusedError("reserved_name", "a webhook must not call this API itself")
    return Destination(scheme, host, port, path)


def mail_address(url: str, domains: Sequence[str]) -> str:
    """Return the address of a mailto: URL. Raises AddressRefusedError unless it is in one of the operator's domains.

    "*" among them allows every public domain, where a recipient must agree first.
    """
    scheme, _, address = url.partition(":")
    mailbox, _, domain = address.rpartition("@")
    if scheme != "mailto" or len(mailbox) > _MAX_MAILBOX_CHARS or not _MAILBOX.fullmatch(mailbox):
        raise AddressRefusedError("bad_syntax", "the URL of format email must be mailto: and one address")
    if ANY_DOMAIN in domains:
        if _check_host(domain, allow_insecure=False) != domain.lower():
            raise AddressRefusedError("bad_syntax", "the domain of an address must not end with a dot")
    elif not is_listed(url, domains):
        allowed = (
            f"to {', '.join(domains)} only" if domains else "to no domain: its operator sets SMTP_URL and EmailDomains"
        )
        raise AddressRefusedError("blocked_address", f"this service sends e-mail {allowed}")
    return address


def is_listed(url: str, domains: Sequence[str]) -> bool:
    """Whether the address of a mailto: URL is in one of these domains."""
    return url.rpartition("@")[2].lower() in {each.lower() for each in domains}


def may_dial(addresses: Sequence[str], *, allow_insecure: bool = False) -> bool:
    """Whether every resolved address is public or, in development, a loopback address (stage 2)."""
    return all(is_public(address) or (allow_insecure and _is_loopback(address)) for address in addresses)


def _is_loopback(address: str) -> bool:
    """Whether this is 127.0.0.0/8 or ::1. `ipaddress.is_loopback` also accepts mapped addresses and zones."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed in _LOOPBACK_V4 if isinstance(parsed, IPv4Address) else address == "::1"


def _split(url: str) -> tuple[str, str, str]:
    """Return scheme, authority and path with query."""
    if not 1 <= len(url) <= MAX_URL_CHARS:
        raise AddressRefusedError("bad_syntax", f"the webhook URL must have 1 to {MAX_URL_CHARS} characters")
    if not all("!" <= char <= "~" for char in url) or "\\" in url:
        raise AddressRefusedError(
            "bad_syntax", "the webhook URL must not have spaces, backslashes or non-ASCII characters"
        )
    if "#" in url:
        raise AddressRefusedError("fragment", "the webhook URL must not have a fragment (#)")
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise AddressRefusedError("bad_scheme", "the webhook URL must begin with https://")
    name, rest = scheme[1].lower(), url[scheme.end() :]
    if name not in DEFAULT_PORTS:
        raise AddressRefusedError("bad_scheme", "the webhook URL must begin with https://")
    if not rest.startswith("//"):
        raise AddressRefusedError("bad_syntax", "the webhook URL must have // after its scheme")
    authority = re.split("[/?]", rest[2:], maxsplit=1)[0]
    path = rest[2 + len(authority) :]
    return name, authority, path if path.startswith("/") else "/" + path


def _split_port(authority: str, default: int) -> tuple[str, int]:
    """Return host and port. An IPv6 literal keeps its brackets."""
    if authority.startswith("["):
        host, bracket, after = authority.partition("]")
        host += bracket
    else:
        host, colon, number = authority.partition(":")
        after = colon + number
    if not after:
        return host, default
    port = after[1:]
    if after[0] != ":" or ":" in port:
        raise AddressRefusedError("bad_syntax", "the host of the webhook URL is malformed")
    if not (port.isdecimal() and port == str(int(port)) and 1 <= int(port) <= MAX_PORT):
        raise AddressRefusedError("bad_port", "the port of the webhook URL is not a number from 1 to 65535")
    return host, int(port)


def _check_host(text: str, *, allow_insecure: bool) -> str:
    host = text.lower()
    if host.startswith("["):
        return _check_bracketed(host, allow_insecure=allow_insecure)
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefusedError("bad_syntax", "the host of the webhook URL is not a DNS name")
    if allow_insecure and (host == "localhost" or _is_loopback(host)):
        return host
    if _NUMBER.fullmatch(
        labels[-1]
    ):  # no top-level domain is a number, but every form that inet_aton accepts ends in one
        raise AddressRefusedError("ip_literal", "the webhook URL must name a host, not an IP address" + _WAY_OUT)
    if len(labels) == 1 or not RESERVED_SUFFIXES.isdisjoint((labels[-1], ".".join(labels[-2:]))):
        raise AddressRefusedError("reserved_name", "the host of the webhook URL is not a public name" + _WAY_OUT)
    return host


def _check_bracketed(host: str, *, allow_insecure: bool) -> str:
    if "%" in host:  # a zone index names an interface of this machine
        raise AddressRefusedError("bad_syntax", "the host of the webhook URL is malformed")
    try:
        address = ipaddress.IPv6Address(host[1:-1] if host.endswith("]") else host)
    except ValueError as error:
        raise AddressRefusedError("bad_syntax", "the host of the webhook URL is malformed") from error
    if not (allow_insecure and _is_loopback(str(address))):
        raise AddressRefusedError("ip_literal", "the webhook URL must name a host, not an IP address" + _WAY_OUT)
    return str(address)


@dataclass(frozen=True, slots=True)
class AddressRules:
    """The rules of a deployment for the URLs of requests.

    `allow_insecure`: also http and this machine (local stage). `own_hosts`: host names of our own API.
    `mail_domains`: of recipients of e-mail; none: no e-mail is sent.
    """

    allow_insecure: bool = False
    own_hosts: tuple[str, ...] = ()
    mail_domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, request_host: str | None) -> "AddressRules":
        """Return the rules for the URLs of a request: no webhook may call its host, or our own."""
        hosts = (request_host or "", settings.own_host)
        return cls(settings.allow_insecure_webhook_targets, tuple(host for host in hosts if host))

    def problem(self, url: str, field: str = "url", *, is_mail: bool = False) -> FieldProblem | None:
        """Return the problem with a URL; None if it is allowed. `is_mail`: of an endpoint with format email."""
        try:
            if is_mail:
                mail_address(url, self.mail_domains)
                return None
            for own_host in self.own_hosts or ("",):
                check_url(url, allow_insecure=self.allow_insecure, own_host=own_host)
        except AddressRefusedError as refused:
            return FieldProblem(field, f"{refused.code}: {refused.message}")
        return None


PUBLIC_ONLY = AddressRules()
_MOST_LANE_CHARS = 255


def host_of(url: str) -> str:
    """Return the host of a URL for lanes and logs: without its port, in lower case; "" if the URL has none.

    That of a mailto: URL is the domain of its address.

    Requests use `check_url`.
    """
    try:
        parts = urlsplit(url)
        host = parts.path.rpartition("@")[2].lower() if parts.scheme == "mailto" else parts.hostname or ""
    except ValueError:
        return ""
    return host.rstrip(".")[:_MOST_LANE_CHARS]
