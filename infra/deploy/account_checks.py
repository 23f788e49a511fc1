"""Checks before anything is created: credentials, account, quota of concurrent invocations."""

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from infra.deploy.building import own_architecture
from infra.deploy.target import DeployError, Target

SWEEPER = 10
"""Concurrent invocations that template.yaml reserves for the sweeper."""
UNRESERVED_MINIMUM = 100
"""Lambda keeps as many of the account's quota unreserved, and refuses reservations that leave fewer.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""
_NO_SUCH_CALL = frozenset({404, 501})
WAITING_MINIMUM = 25
"""A smaller limit for `submit`, `judge`, `dialects`, `result` and `events` would refuse clients without need."""
_DUE_SHARDS = "16"
"""The default of template.yaml."""
LONGEST_WAIT_SECS = 28
SHORT_WAIT_SECS = 5
"""The longest wait where nothing limits waiting clients: invocations become free for the pipeline this often."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """The limits of the account. `architecture`: CPU of the functions. `unreserved`: of the quota `concurrency`."""

    account: str
    caller: str
    concurrency: int
    unreserved: int
    architecture: str


def concurrency_parameters(unreserved: int) -> dict[str, str]:
    """Return the parameters that divide the free concurrency: a sixth each for those that wait, and for all others."""
    free = unreserved - UNRESERVED_MINIMUM - SWEEPER
    waiting = free // 6
    return {
        "ReserveConcurrency": "true" if free >= 0 else "false",
        "WaitingConcurrency": str(waiting if waiting >= WAITING_MINIMUM else 0),
    }


def longest_wait_secs(concurrency: Mapping[str, str]) -> int:
    """Return the longest wait of a request. Without a limit, waiting clients can hold every invocation: it is short."""
    return SHORT_WAIT_SECS if concurrency["WaitingConcurrency"] == "0" else LONGEST_WAIT_SECS


def describe_concurrency(quota: int, parameters: Mapping[str, str]) -> str:
    """Describe the limits for waiting clients and the pipeline, and the way out of a low quota."""
    reserved = f"{SWEEPER} reserved for the sweeper" if parameters["ReserveConcurrency"] == "true" else "none reserved"
    text = f"{quota} concurrent invocations, {reserved}"
    if parameters["WaitingConcurrency"] != "0":
        return f"{text}, at most {parameters['WaitingConcurrency']} each for submit, judge, dialects, result and events"
    return (
        f"{text}; waiting clients can use all others and delay results and webhooks, so requests wait "
        f"at most {parameters['LongestWaitSecs']} s: request a higher quota at "
        "https://console.aws.amazon.com/servicequotas (Lambda, concurrent executions)"
    )


def check_due_shards(before: Mapping[str, str], parameters: Mapping[str, str]) -> None:
    """Raise DeployError for fewer partitions of due rows than before: nothing would find the rows of the others."""
    now = int(parameters.get("DueShards", _DUE_SHARDS))
    if now < (had := int(before.get("DueShards", now))):
        raise DeployError(f"DueShards is {had} and can only grow; got {now}: add DueShards={had} to PARAMETERS")


def check_runner_url(parameters: Mapping[str, str]) -> None:
    """Raise DeployError where submit would refuse to start because of plain HTTP to the runners."""
    for name in ("RunnerUrl", "NetworkRunnerUrl"):
        url = parameters.get(name, "")
        if url and not url.startswith("https://") and parameters.get("AllowRunnerHttp") != "true":
            raise DeployError(
                f"{name} must begin with https://; got {url}. To send programs and the runners' token unencrypted, "
                "add AllowRunnerHttp=true"
            )


def check(target: Target, architecture: str) -> Preflight:
    """Ask the account. `architecture` may be empty. Raises DeployError."""
    try:
        # Two attempts only: a refused connection is most likely a wrong setting, and the user waits.
        identity = target.client("sts", attempts=2).get_caller_identity()
        settings = target.client("lambda", attempts=2).get_account_settings()
    except NoCredentialsError as error:
        raise DeployError("no AWS credentials: set AWS_PROFILE, or run `aws configure` or `aws sso login`") from error
    except EndpointConnectionError as error:
        raise DeployError(f"{error}: start the emulator, or correct ENDPOINT or REGION") from error
    except ClientError as error:
        if target.endpoint is not None and error.response["ResponseMetadata"]["HTTPStatusCode"] in _NO_SUCH_CALL:
            raise DeployError(
                f"{target.endpoint} does not know {error.operation_name}, as moto: use an emulator that runs functions "
                "(docs/emulators.md)"
            ) from error
        raise DeployError(f"the account refused a question ({error}): check credentials and their rights") from error
    except BotoCoreError as error:
        raise DeployError(f"the account refused a question ({error}): check credentials and their rights") from error
    limit = settings["AccountLimit"]
    return Preflight(
        account=identity["Account"],
        caller=identity["Arn"],
        concurrency=limit["ConcurrentExecutions"],
        unreserved=limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"]),
        architecture=architecture or (own_architecture() if target.is_loopback else "arm64"),
    )
