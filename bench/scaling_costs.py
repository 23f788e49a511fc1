"""What runs cost on AWS: before and after the choices of template.yaml, by part, and by memory and wait."""

from dataclasses import replace
from pathlib import Path

from infra.deploy.costs import (
    DEFAULT,
    DOLLARS,
    DOLLARS_A_MONTH,
    EARLIER,
    LONG_POLL,
    METRIC_DOLLARS_A_MONTH,
    POLLED,
    PRICES_OF,
    RUNS,
    STORED_DOLLARS_A_MONTH,
    SYNCHRONOUS,
    Choices,
    Run,
    busy_secs,
    idle_dollars,
    prices,
    refused_dollars,
    watched_dollars,
)
from infra.sam_template import read, translate

BUSY = 0.6
"""Share of the slots that run programs when the fleet has its size."""
SLOTS = 4
HOST_DOLLARS = 0.145
"""An hour of c7g.xlarge, on demand in us-east-1. Spot costs about 40 % of it."""
NEW_TABLE_WRITES = 4_000
"""Of a new on-demand table or index. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html"""
CAPACITY_USED = 0.7
"""The target of the scaling policies in template.yaml."""
_TEMPLATE = Path(__file__).parents[1] / "template.yaml"
_INFRA = _TEMPLATE.parent / "infra"
_ZONES = 3
_HOURS_A_MONTH = 720
_KEY_SECS = 300
"""DynamoDB asks KMS again for the key of a table after so long, for each of its callers' connections.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
"""
_REFUSED_RATE = 1_000
"""Requests a second that the stage lets through: ThrottlingRateLimit."""


def cost_tables(run_secs: float, host_dollars: float) -> str:
    """Return the tables of costs. `host_dollars`: an hour of a runner's host."""
    hosts = 1e6 * run_secs / SLOTS / BUSY / 3600 * host_dollars
    tables = (
        f"prices of {PRICES_OF}; runs of {run_secs:g} s",
        _before_and_after(run_secs),
        f"and ${hosts:.1f} for hosts at ${host_dollars:g} an hour with {BUSY:.0%} of their slots busy",
        _by_part(run_secs),
        _by_memory(run_secs),
        _by_wait(),
        _idle(),
        _stored(),
        _beside(),
        _tables(),
    )
    return "\n\n".join(tables)


def _sum(run: Run, run_secs: float, choices: Choices) -> float:
    return sum(prices(run, run_secs, choices).values())


def _before_and_after(run_secs: float) -> str:
    lines = [f"{'a million runs':<30}{'one by one':>22}{'64 in flight':>22}"]
    lines.append(" " * 30 + f"{'before':>12}{'now':>10}" * 2)
    for run in RUNS:
        columns = (replace(choices, busy=busy) for busy in (False, True) for choices in (EARLIER, DEFAULT))
        before, now, busy_before, busy_now = (f"{_sum(run, run_secs, choices):.1f}$" for choices in columns)
        lines.append(f"{run.name:<30}{before:>12}{now:>10}{busy_before:>12}{busy_now:>10}")
    return "\n".join(lines)


def _by_part(run_secs: float) -> str:
    choices = replace(DEFAULT, busy=True)
    lines = [f"{'now, 64 in flight':<30}" + "".join(f"{part:>8}" for part in prices(SYNCHRONOUS, run_secs, choices))]
    for run in RUNS:
        dollars = "".join(f"{value:>8.2f}" for value in prices(run, run_secs, choices).values())
        lines.append(f"{run.name:<30}{dollars}")
    return "\n".join(lines)


def _by_memory(run_secs: float) -> str:
    lines = [f"{'memory of waiting functions':<28}{'synchronous, direct':>22}{'answered after':>18}"]
    (submit, *_) = SYNCHRONOUS.work
    for memory_mb in (1769, 1024, 512, 384, 256):
        choices = replace(DEFAULT, memory_mb=memory_mb, busy=True)
        secs = busy_secs(submit, run_secs, choices)
        lines.append(f"{memory_mb:>24} MB {_sum(SYNCHRONOUS, run_secs, choices):>21.1f}${secs * 1_000:>15.0f} ms")
    return "\n".join(lines)


def _by_wait() -> str:
    lines = [f"{'a run of':<12}{SYNCHRONOUS.name:>22}{LONG_POLL.name:>24}{POLLED.name:>20}"]
    choices = replace(DEFAULT, busy=True)
    for secs in (0.1, 0.5, 2.0, 5.0, 20.0):
        cells = zip((SYNCHRONOUS, LONG_POLL, POLLED), (22, 24, 20), strict=True)
        dollars = (f"{_sum(run, secs, choices):.1f}$".rjust(width) for run, width in cells)
        lines.append(f"{secs:>7g} s   " + " " + "".join(dollars))
    return "\n".join(lines)


def _tables() -> str:
    """Prices of prepared and of provisioned tables. `steady`: provisioned units, 70 % of them used all the time."""
    lines = [f"{'write units a second':<28}{'WarmWriteUnits, once':>22}{'on demand, a month':>22}{'provisioned':>16}"]
    for units in (1_000, 4_000, 10_000, 40_000):
        once = max(units - NEW_TABLE_WRITES, 0) * DOLLARS["DynamoDB warm write unit, once"] * len(_warmed_parts())
        demand = units * 86_400 * 30 * DOLLARS["DynamoDB write unit"]
        provisioned = units / CAPACITY_USED * 24 * 30 * DOLLARS["DynamoDB write capacity unit, hour"]
        lines.append(f"{units:>20,}        {once:>21,.0f}${demand:>21,.0f}${provisioned:>15,.0f}$")
    return "\n".join(lines)


def _warmed_parts() -> list[str]:
    """Return the tables and indexes that `WarmWriteUnits` prepares."""
    parts = []
    for name, item in read(_TEMPLATE)["Resources"].items():
        if "WarmThroughput" in item.get("Properties", {}):
            parts += [name, *(index["IndexName"] for index in item["Properties"]["GlobalSecondaryIndexes"])]
    return parts


def _stored() -> str:
    """Prices of what is kept, of metrics, and of watching."""
    lines = [f"{'a GB in a month':<68}"]
    lines += [f"{name:<68}{dollars:>8.3f}$" for name, dollars in STORED_DOLLARS_A_MONTH.items()]
    lines.append(f"{'results by function and verdict (36 metrics), a month':<68}{36 * METRIC_DOLLARS_A_MONTH:>8.1f}$")
    lines.append(f"{'the same by language too, MetricsByLanguage (360)':<68}{360 * METRIC_DOLLARS_A_MONTH:>8.1f}$")
    lines.append(f"{'a million seconds of watched output through the bucket':<68}{watched_dollars():>8.1f}$")
    return "\n".join(lines)


def _beside() -> str:
    """Prices of a key for the data, a firewall, a network in three zones, and a day of requests with wrong keys."""
    resources = read(_TEMPLATE)["Resources"].values()
    tables = sum(item["Type"] == "AWS::DynamoDB::Table" for item in resources)
    calls = tables * _HOURS_A_MONTH * 3600 / _KEY_SECS * DOLLARS["KMS request"]
    firewall = read(_INFRA / "edge.yaml")["Resources"]["Firewall"]["Properties"]
    rules = len(firewall["Rules"]) * DOLLARS_A_MONTH["rule of a WebACL"]
    network = read(_INFRA / "network.yaml")["Resources"].values()
    endpoints = [item for item in network if item.get("Properties", {}).get("VpcEndpointType") == "Interface"]
    always = sum("Condition" not in item for item in endpoints)
    hours = _ZONES * _HOURS_A_MONTH * DOLLARS["interface endpoint, hour"]
    refused = refused_dollars(_REFUSED_RATE * 86_400)
    lines = {
        "a key of yours (DataKeyArn)": DOLLARS_A_MONTH["AWS::KMS::Key"],
        f"calls of KMS for {tables} tables, of each process that runs all the time": calls,
        "the firewall of infra/edge.yaml": DOLLARS_A_MONTH["AWS::WAFv2::WebACL"] + rules,
        "and a million requests through it": 1e6 * DOLLARS["firewall request"],
        f"{always} interface endpoints of infra/network.yaml in {_ZONES} zones": always * hours,
        f"{len(endpoints)} of them, with the direct path": len(endpoints) * hours,
        f"{_REFUSED_RATE:,} requests a second with a wrong key, a day: HTTP API": refused["HTTP"],
        "the same: function, read and log": sum(refused.values()) - refused["HTTP"],
    }
    return "\n".join([f"{'a month':<68}", *(f"{name:<68}{dollars:>8.2f}$" for name, dollars in lines.items())])


def _idle() -> str:
    translated = translate(read(_TEMPLATE), {}, "s3://code/functions.zip")
    lines = [f"{'a month without runs':<28}"]
    lines += [f"{name:<28}{dollars:>12.1f}$" for name, dollars in idle_dollars(translated).items()]
    return "\n".join(lines)
