"""Secrets in SSM parameters."""

_FRESH_SECS = 60


class SecretUnavailableError(Exception):
    """A secret cannot be read. The text names the parameter."""


def secret(parameter: str) -> str:
    """Return a secret from SSM, at most a minute old. Raises SecretUnavailableError."""
    # Imported here: it imports boto3, which slows the cold start of functions that need no secret.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415

    try:
        return parameters.get_parameter(parameter, decrypt=True, max_age=_FRESH_SECS)
    except GetParameterError:
        raise SecretUnavailableError(parameter) from None
