"""Where the service is and which keys are sent to it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from rustbox_cli.errors import CommandError, ExitCode

DEFAULT_URL = "http://127.0.0.1:4096"
# Of the local stack, known to everybody; sent to this machine and nowhere else.
_LOCAL_KEYS = {"X-API-Key": "rb_live_local_development_only", "X-Admin-Key": "admin_local_development_only"}
_VARIABLES = {"X-API-Key": "RUSTBOX_API_KEY", "X-Admin-Key": "RUSTBOX_ADMIN_KEY"}

type KeyHeader = Literal["X-API-Key", "X-Admin-Key"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` without a slash at its end. A key that is None: the local stack's, if the service is on this machine."""

    url: str
    is_local: bool
    api_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)

    def key(self, header: KeyHeader) -> str:
        """The value of a header. Raises CommandError where there is no key for this service."""
        given = self.api_key if header == "X-API-Key" else self.admin_key
        if given:
            if not (given.isascii() and given.isprintable()):
                raise CommandError(f"{_VARIABLES[header]} holds characters that no key has.", ExitCode.CONFIGURATION)
            return given
        if self.is_local:
            return _LOCAL_KEYS[header]
        kind = "API key" if header == "X-API-Key" else "administrator's key"
        raise CommandError(
            f"No {kind} for {self.url}.", ExitCode.CONFIGURATION, f"Set {_VARIABLES[header]} in the environment."
        )


def read_settings(url: str, api_key: str | None, admin_key: str | None, *, allow_http: bool) -> Settings:
    """Check the address. Raises CommandError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise CommandError(
            f"{url!r} is no address of a service.", ExitCode.CONFIGURATION, f"It looks like {DEFAULT_URL}."
        )
    is_local = _is_loopback(host)
    if parts.scheme == "http" and not (is_local or allow_http):
        raise CommandError(
            f"{url} would get the key over an open connection.",
            ExitCode.CONFIGURATION,
            "Use https, or --allow-http where you trust the network.",
        )
    return Settings(url.rstrip("/"), is_local, api_key or None, admin_key or None)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
