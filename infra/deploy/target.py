"""The target of a deployment: an account and region of AWS, or an emulator."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

# The error of a deployment.


class DeployError(Exception):
    """A step failed. The text names the step, the reason and the way out."""


# Progress of a deployment on standard output: one line a step, with the seconds since the start.


class Progress:
    """Writes lines. A terminal or a pipe, without colours."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def step(self, name: str, text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._started:6.1f} s  {name:<10} {text}\n")
        sys.stdout.flush()

    def plain(self, text: str = "") -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


_STAGE = re.compile(r"[a-z][a-z0-9-]{0,15}")
_EMULATED = "local"
"""The stage of emulators. Only in it may webhooks go to loopback, and does the template leave out what they refuse."""
_EMULATOR_REGION = "us-east-1"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"
_CONFIG = Config(connect_timeout=5, read_timeout=60)


@dataclass(frozen=True, slots=True)
class Target:
    """One stage of the service. `endpoint`: address of an emulator; None: AWS."""

    stage: str
    region: str
    endpoint: str | None

    @property
    def stack_name(self) -> str:
        return f"rustbox-{self.stage}"

    @property
    def admin_key_parameter(self) -> str:
        return f"/rustbox/{self.stage}/admin-key"

    @property
    def runner_token_parameter(self) -> str:
        return f"/rustbox/{self.stage}/runner-token"

    @property
    def is_loopback(self) -> bool:
        """Whether an emulator on this machine is the target. It can call a webhook receiver on loopback."""
        return self.endpoint is not None and urlsplit(self.endpoint).hostname in _LOOPBACK

    def client(self, service: str, *, attempts: int = 5) -> Any:
        """Return a boto3 client. An emulator gets made-up credentials. `attempts`: of each call."""
        config = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": attempts}))
        # Without an endpoint, boto3 reads these variables itself.
        if self.endpoint is None:
            return boto3.client(service, region_name=self.region, config=config)  # type: ignore[call-overload]
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=self.region,
            endpoint_url=os.environ.get(endpoint_variable(service), self.endpoint),
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - emulators expect it
            config=config,
        )


@cache  # each session reads the service's whole description again
def endpoint_variable(service: str) -> str:
    """Name the variable with the address of one service, as the AWS SDKs do: AWS_ENDPOINT_URL_DYNAMODB_STREAMS."""
    service_id = botocore.session.get_session().get_service_model(service).service_id
    return f"{ENDPOINT_VARIABLE}_{service_id.replace(' ', '_').upper()}"


def read_target(stage: str, region: str, endpoint: str) -> Target:
    """Check the arguments; each may be empty. AWS_ENDPOINT_URL counts as `endpoint`. Raises DeployError."""
    endpoint = endpoint or os.environ.get(ENDPOINT_VARIABLE, "")
    if endpoint and urlsplit(endpoint).scheme not in {"http", "https"}:
        raise DeployError(f"ENDPOINT must be a URL, such as http://127.0.0.1:4566; got {endpoint}")
    stage = stage or (_EMULATED if endpoint else "prod")
    if _STAGE.fullmatch(stage) is None:
        raise DeployError(f"STAGE must be a lower-case name of at most 16 characters, such as prod; got {stage}")
    if not endpoint and stage == _EMULATED:
        raise DeployError("the stage local is for emulators: choose another name, such as STAGE=dev")
    if endpoint and stage != _EMULATED:
        raise DeployError(f"the stage of an emulator is {_EMULATED}: leave STAGE out; got {stage}")
    region = region or boto3.Session().region_name or (_EMULATOR_REGION if endpoint else "")
    if not region:
        raise DeployError("no region is set: repeat with REGION=eu-central-1, or run `aws configure`")
    return Target(stage, region, endpoint.rstrip("/") or None)
