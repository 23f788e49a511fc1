"""AWS clients: one per process and service, created on first use. boto3 honours AWS_ENDPOINT_URL."""

from __future__ import annotations

import functools
import threading
import typing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# A service that does not answer costs 3 attempts of 5 s and pauses of at most 3 s together: 18 s. Functions have 30 s,
# so that they can still answer 503 or give a message back. A test computes this from the template.
CONNECT_TIMEOUT_SECS = 1
READ_TIMEOUT_SECS = 4
MAX_ATTEMPTS = 3  # with the first; botocore's own `max_attempts` does not count it

_CREATING = threading.Lock()
"""In boto3, creating a client is not thread-safe; using it is."""


class Clients:
    """One client per service, created on first use."""

    @staticmethod
    def dynamodb() -> DynamoDBClient:
        return typing.cast("DynamoDBClient", _shared("dynamodb"))

    @staticmethod
    def sqs() -> SQSClient:
        return typing.cast("SQSClient", _shared("sqs"))

    @staticmethod
    def events() -> EventBridgeClient:
        return typing.cast("EventBridgeClient", _shared("events"))

    @staticmethod
    def kms() -> KMSClient:
        return typing.cast("KMSClient", _shared("kms"))

    @staticmethod
    def s3() -> S3Client:
        return typing.cast("S3Client", _shared("s3"))

    @staticmethod
    def s3_signing() -> S3Client:
        """Return a client that only signs URLs, with version 4: older ones cannot sign a checksum."""
        return typing.cast("S3Client", _shared("s3", "s3v4"))

    @staticmethod
    def codedeploy() -> Any:
        """Return the client that tells CodeDeploy about a release. We have no types for it."""
        return _shared("codedeploy")

    @staticmethod
    def ssm() -> Any:
        """Return the client of the parameters with secrets. We have no types for it."""
        return _shared("ssm")


def _shared(service: str, signature: str | None = None) -> Any:
    with _CREATING:
        return _client(service, signature)


@functools.cache
def _session() -> Session:
    from boto3.session import Session  # noqa: PLC0415 - takes a tenth of a second, and settings alone do not need it

    return Session()


@functools.cache
def _client(service: str, signature: str | None = None) -> Any:
    from botocore.config import Config  # noqa: PLC0415 - same

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECS,
        read_timeout=READ_TIMEOUT_SECS,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        signature_version=signature,
        user_agent="rustbox",  # botocore builds its own for each call: an eighth of the call's CPU time
        parameter_validation=False,  # a twelfth of a call's CPU time; the types are checked by mypy, the rest by AWS
        max_pool_connections=64,  # the local stack runs handlers on many threads of one process
    )
    return _session().client(service, config=config)  # type: ignore[call-overload]  # expects a literal name


# Secrets in SSM parameters.

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
