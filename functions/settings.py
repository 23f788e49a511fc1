"""Settings of each entry point, and the AWS clients that all of them share.

Nothing but `refuse_insecure_stage` reads the environment at import. Each field of a settings class is the environment
variable of the same name in upper case; `template.yaml` sets them. Clients are made on first use, one per process and
service; boto3 honours AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LOCAL_STAGE = "local"


class SettingsInvalidError(Exception):
    """An environment variable is missing or wrong. Names the variable, never its value."""


@dataclass(frozen=True, slots=True)
class RateSettings:
    """What every function with keyed routes needs for the RateLimit headers. The template sets it for all functions."""

    quotas_table: str


@dataclass(frozen=True, slots=True)
class SubmitSettings:
    """What `functions.handlers.submit` needs. `runner_url` "": no runner is asked directly.

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
    """What `functions.handlers.result` needs."""

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
    """What `functions.handlers.record` needs."""

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
    """What `functions.handlers.deliver` needs. `webhook_retry_secs`: seconds before each attempt, one entry an attempt.

    `webhook_senders`: how many invocations send at once.
    """

    webhook_retry_secs: tuple[int, ...]
    webhook_senders: int
    event_bus_name: str


@dataclass(frozen=True, slots=True)
class EndpointsSettings(Outbound):
    """What `functions.handlers.webhooks` needs."""

    projects_table: str


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """What `functions.handlers.sweep` needs."""

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
    webhook_senders: int


@dataclass(frozen=True, slots=True)
class ManageSettings:
    """What `functions.handlers.projects` needs. `admin_key_parameter`: name of an parameter; "": no key is valid."""

    stage: str
    projects_table: str
    admin_key_parameter: str


type AnySettings = (
    RateSettings | SubmitSettings | ResultSettings | RecordSettings | Outbound | SweepSettings | ManageSettings
)


def refuse_insecure_stage() -> None:
    """Raise SettingsInvalidError where webhooks may reach this machine although the stage is not local.

    Entry points call it when they are imported: Lambda then never starts the function.
    """
    insecure = os.environ.get("ALLOW_INSECURE_WEBHOOK_TARGETS") == "true"
    if insecure and (stage := os.environ.get("STAGE")) != LOCAL_STAGE:
        raise SettingsInvalidError(
            f"ALLOW_INSECURE_WEBHOOK_TARGETS is for the stage local only; STAGE is {stage}. "
            "Deploy with AllowInsecureWebhookTargets=false"
        )


def load[Settings: AnySettings](kind: type[Settings]) -> Settings:
    """Read the fields of `kind` from the environment. Raises SettingsInvalidError."""
    types = typing.get_type_hints(kind)
    values = {field.name: _read(field.name.upper(), types[field.name]) for field in dataclasses.fields(kind)}
    refuse_insecure_stage()
    if values.get("runner_url") and not values.get("runner_token_parameter"):
        raise SettingsInvalidError("RUNNER_TOKEN_PARAMETER is not set, but RUNNER_URL is")
    return kind(**values)


def _read(name: str, kind: Any) -> Any:
    text = os.environ.get(name)
    if text is None:
        raise SettingsInvalidError(f"{name} is not set")
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
        raise SettingsInvalidError(f"{name} has no valid value") from None
    return text
