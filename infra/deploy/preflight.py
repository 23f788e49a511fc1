"""Checks before anything is created: credentials, account, quota of concurrent invocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from infra.deploy.errors import DeployError
from infra.deploy.package import own_architecture

if TYPE_CHECKING:
    from infra.deploy.target import Target

SWEEPER = 10
"""Concurrent invocations that template.yaml reserves for the sweeper."""
UNRESERVED_MINIMUM = 100
"""Lambda keeps as many of the account's quota unreserved, and refuses reservations that leave fewer.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""
WAITING_MINIMUM = 25
"""A smaller limit for `submit` and `result` would refuse clients without need."""
LOW_QUOTA_ADVICE = (
    "; waiting clients can use all of them, and nothing is reserved for the sweeper: "
    "request a higher quota at https://console.aws.amazon.com/servicequotas (Lambda, concurrent executions)"
)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the account allows. `architecture`: CPU of the functions. `unreserved`: of the quota `concurrency`."""

    account: str
    caller: str
    concurrency: int
    unreserved: int
    architecture: str


def concurrency_parameters(unreserved: int) -> dict[str, str]:
    """Return the parameters that divide what an account has left: a third each for submit, result and all others."""
    free = unreserved - UNRESERVED_MINIMUM - SWEEPER
    waiting = free // 3
    return {
        "ReserveConcurrency": "true" if free >= 0 else "false",
        "WaitingConcurrency": str(waiting if waiting >= WAITING_MINIMUM else 0),
    }


def check(target: Target, architecture: str) -> Preflight:
    """Ask the account. `architecture` may be empty. Raises DeployError."""
    try:
        identity = target.client("sts").get_caller_identity()
        settings = target.client("lambda").get_account_settings()
    except NoCredentialsError as error:
        raise DeployError("no AWS credentials: set AWS_PROFILE, or run `aws configure` or `aws sso login`") from error
    except EndpointConnectionError as error:
        raise DeployError(f"{error}: start the emulator, or correct ENDPOINT or REGION") from error
    except (ClientError, BotoCoreError) as error:
        raise DeployError(f"the account refused a question ({error}): check credentials and their rights") from error
    limit = settings["AccountLimit"]
    return Preflight(
        account=identity["Account"],
        caller=identity["Arn"],
        concurrency=limit["ConcurrentExecutions"],
        unreserved=limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"]),
        architecture=architecture or (own_architecture() if target.is_loopback else "arm64"),
    )
