"""`make deploy-status`: the stack, its runners and its queues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.resources import fleet
from infra.deploy.resources.stack import Stack
from infra.deploy.smoke.api import Api, address
from infra.deploy.target import DeployError

if TYPE_CHECKING:
    from infra.deploy.target import Progress, Target

_WINDOW = timedelta(minutes=10)


def status(target: Target, progress: Progress) -> None:
    """Print the state of the stack, its runners and queues. Raises DeployError without a stack."""
    stack = Stack(target, progress)
    found = stack.describe()
    if found is None:
        raise DeployError(f"there is no stack {target.stack_name}: run `make deploy STAGE={target.stage}`")
    progress.plain(f"stack      {target.stack_name}  {found['StackStatus']}")
    outputs, resources = stack.outputs(), stack.resources()
    base_url = address(target, resources["Api"], outputs["ApiUrl"])
    with Api(base_url, "User-Agent", "rustbox deploy-status") as api:
        health = api.call("GET", "/api/health")
    progress.plain(f"API        {base_url}  {health['status']}, version {health['version']}")
    versions = ", ".join(health["runner_versions"])
    live = f"runners    {health['workers']} slots, {health['enforcement_mode']}, version {versions}"
    progress.plain(live if health["node_id"] else _NONE)
    for name, kind in (("fleet", fleet.RUNNERS), ("netfleet", fleet.NETWORKED)):
        if (runners := fleet.state(target, progress, kind)) is not None:
            progress.plain(f"{name:<11}{runners}")
    progress.plain(f"{'queue':<26}{'waiting':>9}{'in flight':>11}{'oldest':>9}")
    for name, url in resources.items():
        if name.endswith(("Queue", "DeadLetters")) and "/" in url:
            progress.plain(queue_line(target, name, url))


_NONE = "runners    none has reported in the last minute: start one (docs/runner.md)"


def queue_line(target: Target, name: str, url: str) -> str:
    """Return the messages of a queue, and the age of the oldest."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    age_secs = _oldest_secs(target, url.rpartition("/")[2])
    age = "-" if age_secs is None else f"{age_secs:.0f} s"
    return f"{name:<26}{counts[names[0]]:>9}{counts[names[1]]:>11}{age:>9}"


def _oldest_secs(target: Target, queue: str) -> float | None:
    """Return the age of the oldest message as CloudWatch last saw it, None if it has no value."""
    now = datetime.now(UTC)
    cloudwatch: Any = target.client("cloudwatch")
    try:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": queue}],
            StartTime=now - _WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
    except (ClientError, BotoCoreError):  # an emulator without CloudWatch; the counts are shown all the same
        return None
    newest = max(points, key=lambda point: point["Timestamp"], default=None)
    return None if newest is None else float(newest["Maximum"])
