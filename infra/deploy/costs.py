"""The cost of a million runs on AWS: a list of billed units, and their prices.

An estimate of the parts that grow with the number of runs. Runners, logs, storage and traffic are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES_OF = "us-east-1, January 2025"
# Dollars for each unit. https://aws.amazon.com/{api-gateway,lambda,dynamodb,sqs,eventbridge}/pricing
_DOLLARS = {
    "HTTP API request": 1.00e-6,
    "Lambda request": 0.20e-6,
    "Lambda GB-second, arm64": 0.0000133334,
    "Lambda GB-second, x86_64": 0.0000166667,
    "DynamoDB write unit": 0.625e-6,
    "DynamoDB read unit": 0.125e-6,
    "SQS request": 0.40e-6,
    "EventBridge event": 1.00e-6,
}

# Dollars a month for each resource, used or not, without the free tier.
_DOLLARS_A_MONTH = {"AWS::CloudWatch::Alarm": 0.10, "AWS::CloudWatch::Dashboard": 3.0, "AWS::KMS::Key": 1.0}


@dataclass(frozen=True, slots=True)
class Run:
    """Billed units of one run. `gb_secs`: time of all its invocations, with 1 GB each."""

    name: str
    requests: float
    invocations: float
    gb_secs: float
    writes: float
    reads: float
    messages: float
    events: float


# A small program. A transaction bills each KiB of a row twice, and each index of a written row is one write more.
# Writes are those that tests/embedded/test_call_budget.py counts.
RUNS = (
    Run("synchronous answer", requests=1, invocations=1, gb_secs=0.15, writes=8, reads=2, messages=0, events=1),
    Run("submit, poll once", requests=2, invocations=3, gb_secs=0.08, writes=12, reads=4, messages=6, events=1),
    Run("submit, webhook", requests=1, invocations=3, gb_secs=0.20, writes=34, reads=5, messages=9, events=1),
)


def dollars_per_million(run: Run, architecture: str) -> float:
    """Return the dollars for a million such runs."""
    units = {
        "HTTP API request": run.requests,
        "Lambda request": run.invocations,
        f"Lambda GB-second, {architecture}": run.gb_secs,
        "DynamoDB write unit": run.writes,
        "DynamoDB read unit": run.reads,
        "SQS request": run.messages,
        "EventBridge event": run.events,
    }
    return 1e6 * sum(_DOLLARS[unit] * count for unit, count in units.items())


def dollars_a_month(template: Mapping[str, Any]) -> float:
    """Return the monthly costs of a template's resources without any run."""
    return sum(_DOLLARS_A_MONTH.get(resource["Type"], 0.0) for resource in template["Resources"].values())
