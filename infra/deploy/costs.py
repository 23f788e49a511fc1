"""The cost of a million runs on AWS, and of a month without runs: billed units and their prices.

A model: units that tests count (`tests/embedded/test_call_budget.py`), and times that are assumed here. Runners, and
traffic to clients and receivers, are not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.http.long_poll import LongPoll

# AWS's prices: us-east-1, without free tiers and discounts, read in November 2026. Each names its page.
#
# In dollars for each unit. The pages show the first tier of each price, and so does this list.

PRICES_OF = "us-east-1, November 2026"

DOLLARS = {
    # https://aws.amazon.com/api-gateway/pricing: for each 512 KB of a request, the first 300 million a month
    "HTTP API request": 1.00e-6,
    # https://aws.amazon.com/lambda/pricing: time is wall-clock time, waits and (since August 2025) cold starts included
    "Lambda request": 0.20e-6,
    "Lambda GB-second, arm64": 0.0000133334,
    "Lambda GB-second, x86_64": 0.0000166667,
    # https://aws.amazon.com/dynamodb/pricing/on-demand, halved in November 2024; Standard table class
    "DynamoDB write unit": 0.625e-6,
    "DynamoDB read unit": 0.125e-6,
    # https://aws.amazon.com/dynamodb/pricing/provisioned
    "DynamoDB write capacity unit, hour": 0.00065,
    "DynamoDB read capacity unit, hour": 0.00013,
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html: once, for each unit a
    # second above the value so far, at the price of a provisioned unit
    "DynamoDB warm write unit, once": 0.00065,
    # https://aws.amazon.com/sqs/pricing: for each 64 KB of a call, standard queues
    "SQS request": 0.40e-6,
    # https://aws.amazon.com/eventbridge/pricing: for each 64 KB of an own event
    "EventBridge event": 1.00e-6,
    # https://aws.amazon.com/cloudwatch/pricing: ingestion, and the storage of a month; 26 bytes more for each event
    "log GB": 0.50 + 0.03,
    # https://aws.amazon.com/xray/pricing
    "X-Ray trace": 5.00e-6,
    # https://aws.amazon.com/s3/pricing: S3 Standard; a LIST costs as much as a PUT, a DELETE nothing
    "S3 PUT": 5.00e-6,
    "S3 GET": 0.40e-6,
    # https://aws.amazon.com/kms/pricing: symmetric keys; a process keeps 1,000 opened secrets for five minutes
    "KMS request": 3.00e-6,
    # https://aws.amazon.com/waf/pricing
    "firewall request": 0.60e-6,
    # https://aws.amazon.com/privatelink/pricing: in each zone
    "interface endpoint, hour": 0.01,
}

STORED_DOLLARS_A_MONTH = {
    # Of a GB in a month. Rows expire after `RetentionDays`, outputs and files with them.
    # https://aws.amazon.com/s3/pricing, https://aws.amazon.com/dynamodb/pricing/on-demand
    "bucket: outputs over 64 KiB, inputs over 8 KiB, files, artifacts": 0.023,
    "tables": 0.25,
    "tables, point-in-time recovery": 0.20,
    "logs, after the first month": 0.03,
}

DOLLARS_A_MONTH = {
    # https://aws.amazon.com/cloudwatch/pricing, https://aws.amazon.com/kms/pricing
    "AWS::CloudWatch::Alarm": 0.10,
    "AWS::CloudWatch::Dashboard": 3.0,
    "AWS::KMS::Key": 1.0,
    # https://aws.amazon.com/waf/pricing
    "AWS::WAFv2::WebACL": 5.0,
    "rule of a WebACL": 1.0,
}
METRIC_DOLLARS_A_MONTH = 0.30
"""https://aws.amazon.com/cloudwatch/pricing: of each own metric, by name and dimensions, in a month with values."""


FULL_CPU_MB = 1_769
"""Memory that comes with one vCPU. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
MEMORY_MB = dict.fromkeys(("Submit", "Judge", "Dialects", "Result", "Events", "Webhook"), 384)
"""Functions that wait for runs, events or receivers. A wait costs memory; they use 90 MB, and some ms of CPU time."""
DEFAULT_MEMORY_MB = 1_024
RECEIVER_SECS = 0.2
_CALL_SECS, _CALL_CPU_SECS, _HANDLER_CPU_SECS = 0.006, 0.0019, 0.003
"""An AWS call takes 3 to 10 ms, and 1.9 ms of CPU time over HTTP (docs/performance.md); a handler takes 3 ms."""
_COLD_STARTS, _COLD_CPU_SECS = 0.005, 0.4
"""A share of invocations that start an environment, and the CPU time of that (docs/performance.md)."""
_QUEUE_SECS = 0.03
"""From `submit` through the queue to the slot of an idle runner, and back."""
_LAMBDA_LOG_BYTES = 520
"""`platform.start` and `platform.report`, two lines an invocation. SystemLogLevel WARN leaves them out."""
_ACCESS_LOG_BYTES = 200
_MONTH_SECS = 30 * 86_400
_IDLE_POLLERS, _LIMITED_POLLERS, _POLL_SECS = 2, 5, 20
"""Long polls of an empty queue: at least two, five with MaximumConcurrency.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""
_SCHEDULED_SECS, _SCHEDULED_READS, _SCHEDULED_METRICS = 0.3, 24, 1
"""Of one invocation of a scheduled function without due rows, each minute: it asks 16 shards of one or two tables."""


@dataclass(frozen=True, slots=True)
class Work:
    """Invocations of one function for a run. `count`: when runs come one by one; `busy`: with many in flight.

    `calls`: AWS calls, one after the other. `waits_for`: "run", "queued run" or "receiver". `log_bytes`: of own lines
    for a run; `call_log_bytes`: for an invocation.
    """

    function: str
    count: float
    busy: float
    calls: float
    waits_for: str = ""
    log_bytes: int = 0
    call_log_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Billed units of one run. `messages`: SQS requests of runs one by one; `busy_messages`: of 64 in flight.

    `puts`, `gets`: of the bucket, those of the runner too. `kms`: requests of KMS.
    """

    name: str
    requests: float
    work: tuple[Work, ...]
    writes: float
    reads: float
    messages: float
    busy_messages: float
    events: float = 1
    puts: float = 0
    gets: float = 0
    kms: float = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices of template.yaml. `memory_mb`: None: as in MEMORY_MB. `busy`: 64 runs in flight, so batches are full."""

    architecture: str = "arm64"
    memory_mb: int | None = None
    logs_platform: bool = False
    has_xray: bool = False
    busy: bool = False

    def memory_of(self, function: str) -> int:
        """Memory of a function in MB."""
        return self.memory_mb or MEMORY_MB.get(function, DEFAULT_MEMORY_MB)


DEFAULT = Choices()
EARLIER = Choices(memory_mb=1_024, logs_platform=True, has_xray=True)
"""1 GB for each function, all lines of Lambda, and X-Ray: the settings before they were chosen by this model."""

# It gets the changes of a second together. A run that lasts half a second shares that with the next one.
_ANNOUNCE = Work("Announce", 0.5, 0.02, calls=2, call_log_bytes=200)
_RECORD = Work("Record", 1, 0.1, calls=3, log_bytes=740)
# A small program. A transaction bills each KiB of a row twice, and each index of a written row is one write more.
# Writes, reads and messages are those that tests/embedded/test_call_budget.py counts; receives are added to messages.
SYNCHRONOUS = Run(
    "synchronous, direct",
    requests=1,
    work=(Work("Submit", 1, 1, calls=3, waits_for="run", log_bytes=1_060), _ANNOUNCE),
    writes=8,
    reads=2,
    messages=0,
    busy_messages=0,
)
QUEUED = Run(
    "synchronous, by the queue",
    requests=1,
    work=(Work("Submit", 1, 1, calls=4, waits_for="queued run", log_bytes=630), _RECORD, _ANNOUNCE),
    writes=12,
    reads=3,
    messages=6,
    busy_messages=2.2,
)
LONG_POLL = Run(
    "submit, one long poll",
    requests=2,
    work=(
        Work("Submit", 1, 1, calls=4, log_bytes=630),
        Work("Result", 1, 1, calls=1, waits_for="queued run"),
        _RECORD,
        _ANNOUNCE,
    ),
    writes=12,
    reads=4,
    messages=6,
    busy_messages=2.2,
)
POLLED = Run(
    "submit, poll once",
    requests=2,
    work=(Work("Submit", 1, 1, calls=4, log_bytes=630), Work("Result", 1, 1, calls=2), _RECORD, _ANNOUNCE),
    writes=12,
    reads=4,
    messages=6,
    busy_messages=2.2,
)
WEBHOOK = Run(
    "submit, webhook",
    requests=1,
    work=(
        Work("Submit", 1, 1, calls=4, log_bytes=630),
        _RECORD,
        Work("Webhook", 1, 1, calls=1, waits_for="receiver", log_bytes=630),
        _ANNOUNCE,
    ),
    writes=23,
    reads=3,
    messages=9,
    busy_messages=4.3,
)
LARGE = replace(POLLED, name="poll once, 20 KB in, 1 MB out", puts=2, gets=2)
"""The input goes into the bucket and the runner gets it; the output comes back the same way."""
OWN_WEBHOOK = replace(WEBHOOK, name="own webhook_url and secret", kms=2)
"""Each run has a secret of its own: it is sealed and opened once."""
JUDGED = Run(
    "judge run of 50 cases, poll",
    requests=2,
    work=(
        Work("Judge", 1, 1, calls=4, log_bytes=630),
        Work("Judge", 1, 1, calls=2),
        replace(_RECORD, count=2, busy=0.2),
        _ANNOUNCE,
    ),
    writes=23,
    reads=5,
    messages=8,
    busy_messages=3.2,
)
RUNS = (SYNCHRONOUS, QUEUED, LONG_POLL, POLLED, WEBHOOK, LARGE, OWN_WEBHOOK, JUDGED)


def watched_dollars() -> float:
    """Return the dollars of a million seconds for which somebody watches output that comes through the bucket.

    A put every two seconds (`SELDOM_SECS` of the runner), and each second a read of the object and of the row, by a
    function that waits.
    """
    wait = DOLLARS["Lambda GB-second, arm64"] * MEMORY_MB["Result"] / 1024
    return 1e6 * (DOLLARS["S3 PUT"] / 2 + DOLLARS["S3 GET"] + DOLLARS["DynamoDB read unit"] + wait)


def refused_dollars(requests: float) -> dict[str, float]:
    """Return the dollars of requests with a wrong key, by what is billed. Each reads one row."""
    work = Work("Submit", 1, 1, calls=1)
    run = Run("refused", requests=1, work=(work,), writes=0, reads=1, messages=0, busy_messages=0, events=0)
    return {part: dollars * requests / 1e6 for part, dollars in prices(run, 0).items()}


def polls(secs: float) -> int:
    """Return how often a request reads the row of a run that ends after `secs`."""
    clock, reads = 0.0, 0

    def sleep(pause_secs: float) -> None:
        nonlocal clock
        clock += pause_secs

    def read() -> bool:
        nonlocal reads
        reads += 1
        return clock >= secs

    LongPoll(sleep=sleep, monotonic=lambda: clock).wait(row=False, read=read, is_over=bool, secs=secs + 1)
    return reads


def busy_secs(work: Work, run_secs: float, choices: Choices = DEFAULT) -> float:
    """Return the billed seconds of one invocation."""
    waits = {"run": run_secs, "queued run": run_secs + _QUEUE_SECS, "receiver": RECEIVER_SECS}
    # A poll sleeps for most of a wait, so the time of its calls is part of the wait.
    calls = work.calls + _polls_of(work, run_secs)
    cpu_secs = _HANDLER_CPU_SECS + calls * _CALL_CPU_SECS + _COLD_STARTS * _COLD_CPU_SECS
    slower = max(FULL_CPU_MB / choices.memory_of(work.function), 1)
    return cpu_secs * slower + work.calls * _CALL_SECS + waits.get(work.waits_for, 0.0)


def _polls_of(work: Work, run_secs: float) -> int:
    return polls(run_secs + _QUEUE_SECS) if work.waits_for == "queued run" else 0


def prices(run: Run, run_secs: float, choices: Choices = DEFAULT) -> dict[str, float]:
    """Return the dollars of a million runs by what is billed."""
    gb_secs, log_bytes, traces, invocations = 0.0, run.requests * _ACCESS_LOG_BYTES, 0.0, 0.0
    for work in run.work:
        count = work.busy if choices.busy else work.count
        invocations += count
        gb_secs += count * busy_secs(work, run_secs, choices) * choices.memory_of(work.function) / 1024
        log_bytes += work.log_bytes + count * work.call_log_bytes
        log_bytes += count * _LAMBDA_LOG_BYTES if choices.logs_platform else 0
        # X-Ray records one request a second, and a twentieth of all others.
        traces += count * (0.05 if choices.busy else 1) if choices.has_xray else 0
    units = {
        "HTTP": ("HTTP API request", run.requests),
        "calls": ("Lambda request", invocations),
        "time": (f"Lambda GB-second, {choices.architecture}", gb_secs),
        "writes": ("DynamoDB write unit", run.writes),
        "reads": ("DynamoDB read unit", run.reads + sum(_polls_of(work, run_secs) for work in run.work)),
        "SQS": ("SQS request", run.busy_messages if choices.busy else run.messages),
        "bus": ("EventBridge event", run.events),
        "logs": ("log GB", log_bytes / 1e9),
        "X-Ray": ("X-Ray trace", traces),
        "S3": ("S3 PUT", run.puts + run.gets * DOLLARS["S3 GET"] / DOLLARS["S3 PUT"]),
        "KMS": ("KMS request", run.kms),
    }
    return {name: 1e6 * DOLLARS[unit] * count for name, (unit, count) in units.items()}


def dollars_per_million(run: Run, architecture: str, run_secs: float = 0.5) -> float:
    """Return the dollars for a million such runs with the settings of template.yaml."""
    return sum(prices(run, run_secs, Choices(architecture)).values())


def dollars_a_month(template: Mapping[str, Any]) -> float:
    """Return the monthly costs of a translated template without any run: resources, schedules, polls and metrics."""
    return sum(idle_dollars(template).values())


def _dollars_of(resource: Mapping[str, Any]) -> float:
    """Return the monthly price of a resource. An alarm over several metrics costs as much as one for each."""
    queries = resource.get("Properties", {}).get("Metrics", [1])
    metrics = max(len(queries) - 1, 1) if resource["Type"] == "AWS::CloudWatch::Alarm" else 1
    return DOLLARS_A_MONTH.get(resource["Type"], 0.0) * metrics


def idle_dollars(template: Mapping[str, Any]) -> dict[str, float]:
    """Return the monthly dollars of a stage without runs, by cause."""
    resources = template["Resources"].values()
    mappings = [item["Properties"] for item in resources if item["Type"] == "AWS::Lambda::EventSourceMapping"]
    of_queues = [mapping for mapping in mappings if "StartingPosition" not in mapping]  # streams have no polls to pay
    pollers = sum(_LIMITED_POLLERS if "ScalingConfig" in mapping else _IDLE_POLLERS for mapping in of_queues)
    schedules = sum(item["Type"] == "AWS::Scheduler::Schedule" for item in resources)
    minutes = _MONTH_SECS / 60 * schedules
    each = (
        DOLLARS["Lambda request"]
        + DOLLARS["Lambda GB-second, arm64"] * _SCHEDULED_SECS * FULL_CPU_MB / 1024
        + DOLLARS["DynamoDB read unit"] * _SCHEDULED_READS
        + DOLLARS["log GB"] * 250e-9
    )
    return {
        "alarms, dashboard, key": sum(map(_dollars_of, resources)),
        "polls of empty queues": pollers * _MONTH_SECS / _POLL_SECS * DOLLARS["SQS request"],
        "schedules": minutes * each,
        "metrics of the schedules": schedules * _SCHEDULED_METRICS * METRIC_DOLLARS_A_MONTH,
    }
