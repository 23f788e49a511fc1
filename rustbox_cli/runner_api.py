"""HTTP client of one runner: the part of its contract (docs/runner.md) that an administrator uses."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

_SECS = 10
_ACCEPTED = 202
_EXITS = {401: (ExitCode.NO_PERMISSION, "The runner refused the token.", "Use the file of its RUNNER_TOKEN_FILE.")}
_OTHER = (ExitCode.FAULT, "This is not a runner, or an older one.", "Give the runner's own LISTEN_ADDRESS.")


def stop_intake(url: str, token: str, *, allow_http: bool, ca_file: Path | None) -> None:
    """Let the runner end its runs and take no more. Raises CommandError.

    `ca_file`: the only certificate authorities to trust; None: the well-known ones.
    """
    settings = read_settings(url, None, None, allow_http=allow_http)
    try:
        response = httpx.post(
            f"{settings.url}/v1/drain",
            headers={"authorization": f"Bearer {token}", "content-length": "0"},
            timeout=_SECS,
            verify=True if ca_file is None else _trusting(ca_file),
            trust_env=not settings.is_local,
        )
    except httpx.TransportError as error:
        raise CommandError(
            f"Nothing answers at {settings.url} ({type(error).__name__}).",
            ExitCode.UNREACHABLE,
            "Check the address, that the runner listens (LISTEN_ADDRESS), and for https its certificate (--ca-file).",
        ) from None
    if response.status_code != _ACCEPTED:
        code, problem, hint = _EXITS.get(response.status_code, _OTHER)
        raise CommandError(f"{problem} ({response.status_code})", code, hint)


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise CommandError(f"{ca_file} is no PEM certificate.", ExitCode.USAGE, "") from None
