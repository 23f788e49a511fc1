"""Settings of each entry point, and the AWS clients that all of them share.

Nothing but `refuse_insecure_stage` reads the environment at import. Each field of a settings class is the environment
variable of the same name in upper case; `template.yaml` sets them. Clients are made on first use, one per process and
service; boto3 honours AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from functions.table_answers import read_plainly

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

LOCAL_STAGE = "local"
_SECRET_FRESH_SECS = 60


class SettingsInvalid(Exception):  # noqa: N818 - says what happened
    """An environment variable is missing or wrong. Names the variable, never its value."""


class SecretUnavailable(Exception):  # noqa: N818 - says what happened
    """A secret cannot be read. Names the parameter."""


@dataclass(frozen=True, slots=True)
class RateSettings:
    """What every function with keyed routes needs for the RateLimit headers. The template sets it for all functions."""

    quotas_table: str


@dataclass(frozen=True, slots=True)
class SubmitSettings:
    """What `functions.submit` needs. `runner_url` "": no runner is asked directly.

    `endpoint_secrets_key_id`: the KMS key. `runner_token_parameter`: name of the SSM parameter that holds the token.
    """

    stage: str
    projects_table: str
    submissions_table: str
    runners_table: str
    payloads_bucket: str
    interactive_queue_url: str
    batch_queue_url: str
    offered_languages: tuple[str, ...]
    retention_days: int
    max_queue_depth: int
    pending_redrive_secs: int
    allow_insecure_webhook_targets: bool
    completions_queue_url: str
    deliveries_table: str
    quotas_table: str
    endpoint_secrets_key_id: str
    runner_url: str
    runner_token_parameter: str


@dataclass(frozen=True, slots=True)
class ResultSettings:
    """What `functions.result` needs."""

    projects_table: str
    submissions_table: str
    deliveries_table: str
    runners_table: str
    quotas_table: str
    payloads_bucket: str
    interactive_queue_url: str
    batch_queue_url: str
    offered_languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """What `functions.record` needs."""

    submissions_table: str
    deliveries_table: str
    runners_table: str
    quotas_table: str
    payloads_bucket: str
    deliveries_queue_url: str
    event_bus_name: str
    public_base_url: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """What every function that sends webhooks needs. `endpoint_secrets_key_id`: the KMS key."""

    stage: str
    deliveries_table: str
    deliveries_queue_url: str
    endpoint_secrets_key_id: str
    public_base_url: str
    allow_insecure_webhook_targets: bool

    @property
    def own_host(self) -> str:
        """Name of our own API, which no webhook may call."""
        return urlsplit(self.public_base_url).hostname or ""


@dataclass(frozen=True, slots=True)
class WebhookSettings(Outbound):
    """What `functions.webhook` needs. `webhook_retry_secs`: seconds before each attempt, one entry an attempt."""

    webhook_retry_secs: tuple[int, ...]
    event_bus_name: str


@dataclass(frozen=True, slots=True)
class EndpointsSettings(Outbound):
    """What `functions.endpoints` needs."""

    projects_table: str


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """What `functions.sweep` needs."""

    submissions_table: str
    deliveries_table: str
    runners_table: str
    quotas_table: str
    payloads_bucket: str
    deliveries_queue_url: str
    event_bus_name: str
    public_base_url: str
    interactive_queue_url: str
    batch_queue_url: str
    pending_redrive_secs: int


@dataclass(frozen=True, slots=True)
class ManageSettings:
    """What `functions.manage` needs. `admin_key_parameter`: name of an SSM parameter; "": nobody is let in."""

    stage: str
    projects_table: str
    admin_key_parameter: str


type AnySettings = (
    RateSettings | SubmitSettings | ResultSettings | RecordSettings | Outbound | SweepSettings | ManageSettings
)


def refuse_insecure_stage() -> None:
    """Raise SettingsInvalid where webhooks may reach this machine although the stage is not local.

    Entry points call it when they are imported: Lambda then never starts the function.
    """
    insecure = os.environ.get("ALLOW_INSECURE_WEBHOOK_TARGETS") == "true"
    if insecure and (stage := os.environ.get("STAGE")) != LOCAL_STAGE:
        raise SettingsInvalid(
            f"ALLOW_INSECURE_WEBHOOK_TARGETS is for the stage local only; STAGE is {stage}. "
            "Deploy with AllowInsecureWebhookTargets=false"
        )


def load[Settings: AnySettings](kind: type[Settings]) -> Settings:
    """Read the fields of `kind` from the environment. Raises SettingsInvalid."""
    types = typing.get_type_hints(kind)
    values = {field.name: _read(field.name.upper(), types[field.name]) for field in dataclasses.fields(kind)}
    refuse_insecure_stage()
    if values.get("runner_url") and not values.get("runner_token_parameter"):
        raise SettingsInvalid("RUNNER_TOKEN_PARAMETER is not set, but RUNNER_URL is")
    return kind(**values)


def _read(name: str, kind: Any) -> Any:
    text = os.environ.get(name)
    if text is None:
        raise SettingsInvalid(f"{name} is not set")
    try:
        if kind is bool:
            return {"true": True, "false": False}[text]
        if kind is int:
            return int(text)
        if kind == tuple[str, ...]:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if kind == tuple[int, ...]:
            return tuple(int(part) for part in text.split(","))
    except (KeyError, ValueError):
        raise SettingsInvalid(f"{name} has no valid value") from None
    return text


def secret(parameter: str) -> str:
    """Return a secret from SSM, at most a minute old. Raises SecretUnavailable."""
    # Imported here: only who has a secret to read pays for it.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415

    try:
        return parameters.get_parameter(parameter, decrypt=True, max_age=_SECRET_FRESH_SECS)
    except GetParameterError:
        raise SecretUnavailable(parameter) from None


class Clients:
    """One client per service, made on first use. Making one is not thread-safe in boto3, using one is."""

    _making: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def dynamodb(cls) -> DynamoDBClient:
        """Return the client that all tables share."""
        with cls._making:
            return typing.cast("DynamoDBClient", _client("dynamodb"))

    @classmethod
    def sqs(cls) -> SQSClient:
        """Return the client that all queues share."""
        with cls._making:
            return typing.cast("SQSClient", _client("sqs"))

    @classmethod
    def events(cls) -> EventBridgeClient:
        """Return the client of the event bus."""
        with cls._making:
            return typing.cast("EventBridgeClient", _client("events"))

    @classmethod
    def kms(cls) -> KMSClient:
        """Return the client of the key that seals secrets of endpoints."""
        with cls._making:
            return typing.cast("KMSClient", _client("kms"))

    @classmethod
    def s3(cls) -> S3Client:
        """Return the client of the payload bucket."""
        with cls._making:
            return typing.cast("S3Client", _client("s3"))


@functools.cache
def _client(service: str) -> Any:
    # Imported here: boto3 takes a tenth of a second, and settings alone do not need it.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 3},
        user_agent="rustbox",  # botocore's own is put together anew for each call, an eighth of its CPU time
        parameter_validation=False,  # a twelfth of a call's CPU time; the types are checked by mypy, the rest by AWS
        max_pool_connections=64,  # the local stack runs handlers on many threads of one process
    )
    client = boto3.client(service, config=config)  # type: ignore[call-overload]  # the stubs want a literal name
    if service == "dynamodb":
        read_plainly(client)
    return client
