"""Signatures of Standard Webhooks, and the secret that `rustbox listen` keeps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import click

from rustbox_cli.errors import CommandError, ExitCode

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def sign(secret: str, webhook_id: str, timestamp_secs: int, body: bytes) -> str:
    """Return the `webhook-signature` of a body."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{webhook_id}.{timestamp_secs}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def kept_secret() -> tuple[str, Path]:
    """Return the secret of this user, made on the first call, and its file. Raises CommandError."""
    path = Path(click.get_app_dir("rustbox")) / "listen_secret"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        # Written aside and linked: two first calls get one secret, and none reads half of it.
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(made + "\n", encoding="ascii")
        aside.chmod(0o600)
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
        secret = path.read_text(encoding="ascii").strip()
        base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (OSError, ValueError) as error:
        raise CommandError(
            f"The signing secret cannot be kept in {path} ({error}).",
            ExitCode.CONFIGURATION,
            "Make the folder writable, or delete the file.",
        ) from None
    return secret, path
