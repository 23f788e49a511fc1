"""Secrets in SSM parameters."""

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.clients import Clients
from functions.ttl_cache import TtlCache

_FRESH_MS = 60_000
_MOST = 8
_secrets = TtlCache[str, str](_FRESH_MS, _MOST)


class SecretUnavailableError(Exception):
    """A secret cannot be read. The text names the parameter."""


def secret(parameter: str) -> str:
    """Return a secret from SSM, at most a minute old. Raises SecretUnavailableError."""
    try:
        return _secrets.get_or_load(parameter, lambda: _read(parameter))
    except (ClientError, BotoCoreError):
        raise SecretUnavailableError(parameter) from None


def _read(parameter: str) -> str:
    return str(Clients.ssm().get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"])
