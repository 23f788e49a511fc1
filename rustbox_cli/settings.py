"""Address of the service, and the keys to send."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from rustbox_cli.errors import CommandError, ExitCode

_DEFAULT_PORT = "4096"
# Public development keys of the local stack. They are sent to this machine only.
_LOCAL_KEYS = {"X-API-Key": "rb_live_local_development_only", "X-Admin-Key": "admin_local_development_only"}
_VARIABLES = {"X-API-Key": "RUSTBOX_API_KEY", "X-Admin-Key": "RUSTBOX_ADMIN_KEY"}

KeyHeader: TypeAlias = Literal["X-API-Key", "X-Admin-Key"]


def default_url() -> str:
    """Return the address of the local stack; `make up` takes its port from PORT too."""
    return f"http://127.0.0.1:{os.environ.get('PORT') or _DEFAULT_PORT}"


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` has no trailing slash. On this machine, a missing key defaults to the local stack's."""

    url: str
    is_local: bool
    api_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)

    def source(self, header: KeyHeader) -> str:
        """Say where the key of a header comes from, for an error message."""
        given = self.api_key if header == "X-API-Key" else self.admin_key
        if given:
            return f"Check {_VARIABLES[header]}."
        return f"{_VARIABLES[header]} is not set, so the development key was sent. Set it to your key."

    def key(self, header: KeyHeader) -> str:
        """Return the key for a header. Raises CommandError if it is missing or invalid."""
        given = self.api_key if header == "X-API-Key" else self.admin_key
        if given:
            if not (given.isascii() and given.isprintable()):
                raise CommandError(
                    f"{_VARIABLES[header]} contains characters that a key cannot have.", ExitCode.CONFIGURATION
                )
            return given
        if self.is_local:
            return _LOCAL_KEYS[header]
        kind = "API key" if header == "X-API-Key" else "administrator's key"
        raise CommandError(
            f"No {kind} for {self.url}.", ExitCode.CONFIGURATION, f"Set {_VARIABLES[header]} in the environment."
        )


def read_settings(url: str, api_key: str | None, admin_key: str | None, *, allow_http: bool) -> Settings:
    """Check the address and the keys' transport. Raises CommandError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise CommandError(
            f"{url!r} is not the address of a service.",
            ExitCode.CONFIGURATION,
            "Use an address such as http://127.0.0.1:4096.",
        )
    is_local = _is_loopback(host)
    if parts.scheme == "http" and not (is_local or allow_http):
        raise CommandError(
            f"The connection to {url} is not encrypted, so the key is not sent.",
            ExitCode.CONFIGURATION,
            "Use https, or --allow-http if you trust the network.",
        )
    return Settings(url.rstrip("/"), is_local, api_key or None, admin_key or None)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
