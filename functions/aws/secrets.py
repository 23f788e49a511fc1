"""Secrets in SSM parameters."""

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.clients import Clients
from functions.fresh_cache import FreshCache

_FRESH_MS = 60_000
_MOST = 8
_secrets = FreshCache[str, str](_FRESH_MS, _MOST)


class SecretUnavailableError(Exception):
    """A secret cannot be read. The text names the parameter."""


def secret(parameter: str) -> str:
    """Return a secret from SSM, at most a minute old. Raises SecretUnavailableError."""
    kept = _secrets.get(parameter)
    if kept is not None:
        return kept
    try:
        answer = Clients.ssm().get_parameter(Name=parameter, WithDecryption=True)
    except (ClientError, BotoCoreError):
        raise SecretUnavailableError(parameter) from None
    return _secrets.keep(parameter, str(answer["Parameter"]["Value"]))
