"""The settings of all entry points, read from the environment.

Only `refuse_insecure_stage` reads the environment at import.
"""

import os
import typing
from collections.abc import Callable
from typing import Any, NewType
from urllib.parse import urlsplit

# Read environment variables as values of a type. Errors name a variable, never its value.

Network = NewType("Network", str)
"""An IPv4 or IPv6 network, such as 192.0.2.7/32. The variable may also name single addresses."""


class SettingsInvalidError(Exception):
    """An environment variable is missing or wrong. The text names the variable, never its value."""


def read_variable(name: str, kind: Any) -> Any:
    """Return the value of a variable. Raises SettingsInvalidError."""
    text = os.environ.get(name)
    if text is None:
        raise SettingsInvalidError(f"{name} is not set: set it as template.yaml does")
    if kind not in _READERS:
        return text
    expected, read = _READERS[kind]
    try:
        return read(text)
    except (KeyError, ValueError):
        raise SettingsInvalidError(f"{name} must be {expected}") from None


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> tuple[Network, ...]:
    from ipaddress import ip_network  # noqa: PLC0415 - one function needs it

    return tuple(Network(str(ip_network(part))) for part in _parts(text))


_READERS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    bool: ("true or false", {"true": True, "false": False}.__getitem__),
    int: ("a whole number", int),
    tuple[str, ...]: ("names with commas between them", _parts),
    tuple[int, ...]: (
        "whole numbers with commas between them",
        lambda text: tuple(int(part) for part in text.split(",")),
    ),
    tuple[Network, ...]: ("addresses or networks with commas between them", _networks),
}
"""By type: the words for an expected value, and the function that reads it. No function shows the value."""


LOCAL_STAGE = "local"


class Settings:
    """Every setting of the functions, once. An object has those that its entry point names, and no others.

    A name in upper case is the environment variable that `template.yaml` sets.
    """

    stage: str
    projects_table: str
    submissions_table: str
    deliveries_table: str
    checks_table: str
    runners_table: str
    quotas_table: str
    payloads_bucket: str

    interactive_queue_url: str
    batch_queue_url: str
    network_queue_url: str
    completions_queue_url: str
    deliveries_queue_url: str
    checks_queue_url: str
    interactive_dead_letters_url: str
    batch_dead_letters_url: str
    network_dead_letters_url: str
    completions_dead_letters_url: str
    deliveries_dead_letters_url: str
    checks_dead_letters_url: str
    max_queue_depth: int
    pending_redrive_secs: int
    retention_days: int

    event_bus_name: str  # empty: no bus
    public_base_url: str
    endpoint_secrets_key_id: str  # the KMS key
    allow_insecure_webhook_targets: bool
    smtp_url_parameter: str  # name of an SSM parameter with the operator's mail server; empty: no e-mail
    email_from: str  # sender of each mail
    email_domains: tuple[str, ...]  # of recipients
    webhook_retry_secs: tuple[int, ...]  # seconds before each attempt
    webhook_senders: int  # the most invocations that send at once
    webhook_senders_of_process: int  # those of this process: one on Lambda
    egress_addresses: tuple[Network, ...]  # networks that webhooks come from

    offered_languages: tuple[str, ...]
    limit_ceilings: tuple[str, ...]  # raised ones, such as judge.memory_mb=4096
    compress_cases: bool  # rows of judge runs have cases that functions of older revisions cannot read
    judge_total_secs: int  # the most time of all cases of a judge run together
    dialects: tuple[str, ...]  # protocols of other services that this deployment serves, such as piston
    dialect_origins: tuple[str, ...]  # of pages of others that may call them
    origins_are_checked: bool  # `make up` has refused pages of other sites before this function
    longest_wait_secs: int  # the most that a request waits for a queued run, or a poll for an event
    runner_url: str  # empty: no direct runs
    network_runner_url: str  # the same for runs with network
    runner_token_parameter: str  # name of an SSM parameter, as the next two
    runner_ca_parameter: str  # certificate authorities of runners; empty: those of the system
    admin_key_parameter: str  # empty: no administrator's key is valid
    serves_files: bool  # one machine: links to files lead to this service, not to the bucket
    allow_runner_http: bool  # `runner_url` may be plain HTTP
    runner_listener: str  # where one machine takes runners of other hosts; empty: it takes none
    runner_fingerprint: str  # of its certificate; empty: an authority issued that
    log_group_prefix: str  # start of the names of all log groups

    def __init__(self, values: typing.Mapping[str, typing.Any]) -> None:
        self.__dict__.update(values)

    @property
    def own_host(self) -> str:
        """Host name of our own API. No webhook may call it."""
        return urlsplit(self.public_base_url).hostname or ""


def refuse_insecure_stage() -> None:
    """Raise SettingsInvalidError if webhooks may reach this machine and the stage is not local.

    Entry points call it at import, so that Lambda does not start a function with such settings.
    """
    insecure = os.environ.get("ALLOW_INSECURE_WEBHOOK_TARGETS") == "true"
    if insecure and (stage := os.environ.get("STAGE")) != LOCAL_STAGE:
        raise SettingsInvalidError(
            f"ALLOW_INSECURE_WEBHOOK_TARGETS is for the stage local only; STAGE is {stage}. "
            "Deploy with AllowInsecureWebhookTargets=false"
        )


def load_settings(names: typing.Iterable[str]) -> Settings:
    """Read these settings from the environment. Raises SettingsInvalidError."""
    types = typing.get_type_hints(Settings)
    return Settings(_checked({name: read_variable(name.upper(), types[name]) for name in names}))


def _checked(values: dict[str, typing.Any]) -> dict[str, typing.Any]:
    refuse_insecure_stage()
    for name in ("runner_url", "network_runner_url"):
        url = values.get(name)
        if url and not values["runner_token_parameter"]:
            raise SettingsInvalidError(
                f"{name.upper()} needs RUNNER_TOKEN_PARAMETER: the name of the SSM parameter with the runner's token"
            )
        if url and not url.startswith("https://") and not values["allow_runner_http"]:
            raise SettingsInvalidError(f"{name.upper()} must begin with https://, or ALLOW_RUNNER_HTTP must be true")
    return values
