"""`python -m bench.scaling`: quotas of AWS that 10, 1,000 and 50,000 runs a second use up.

`bench/scaling_costs.py` prints what runs cost.

Quotas are AWS's defaults, as its documentation had them in November 2026; those of an account may differ.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from bench.scaling_costs import BUSY, HOST_DOLLARS, SLOTS, cost_tables
from functions.projects import model
from functions.submissions.runners.store import ALWAYS_SUMMED, LONGEST_PAUSE_MS, MS_FOR_EACH
from infra.deploy.costs import POLLED, WEBHOOK, Run, busy_secs

RATES = (10, 1_000, 50_000)
HEARTBEAT_SECS = 20
_DELIVERY_SECS = 0.2
_QUOTA_ROW_BYTES, _IN_FLIGHT_BYTES = 200, 50
"""A shard of a project's quota, and what each of its runs in flight adds (`functions/projects/model.py`)."""
_RUNNER_ROW_BYTES = 1_000
_SPARE = 1.5
"""A project's limits, as a multiple of what it uses."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Runs of one kind. `run_secs`: mean time in a slot. `projects`: share the load equally."""

    rate: float
    run: Run
    run_secs: float
    projects: int

    @property
    def runners(self) -> int:
        """Runners of SLOTS slots, BUSY of them busy."""
        return ceil(self.rate * self.run_secs / SLOTS / BUSY)

    @property
    def invocations(self) -> float:
        """Concurrent invocations: a synchronous one lasts as long as its run."""
        return self.rate * sum(work.busy * busy_secs(work, self.run_secs) for work in self.run.work)

    @property
    def quota_shards(self) -> int:
        """Shards of one project's quota."""
        rate = self.rate / self.projects * _SPARE
        return model.Quota(int(rate * 60), int(rate * 86_400), ceil(rate * self.run_secs)).shards

    @property
    def quota_shard_writes(self) -> float:
        """Write units a second of one shard: charged once, released in a transaction, by the KiB."""
        rate = self.rate / self.projects / self.quota_shards
        item_bytes = _QUOTA_ROW_BYTES + _IN_FLIGHT_BYTES * rate * self.run_secs
        return rate * 3 * ceil(item_bytes / 1024)

    @property
    def summary_reads(self) -> float:
        """Read units a second of the runners' rows: a heartbeat reads all of them if the last summary is old enough."""
        pause_secs = min((self.runners - ALWAYS_SUMMED) * MS_FOR_EACH, LONGEST_PAUSE_MS) / 1_000
        return self.runners * _RUNNER_ROW_BYTES / 4_096 / max(pause_secs, HEARTBEAT_SECS / self.runners)


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit. `used`: by a workload, in the limit's unit. `way_out`: what to change when it is reached."""

    name: str
    limit: float
    used: Callable[[Workload], float]
    way_out: str


QUOTAS = (
    Quota("HTTP API: requests a second of the stage", 1_000, lambda w: w.rate * w.run.requests, "ThrottlingRateLimit"),
    Quota("HTTP API: requests a second of the account", 10_000, lambda w: w.rate * w.run.requests, "request"),
    Quota("Lambda: concurrent invocations", 1_000, lambda w: w.invocations, "request"),
    Quota("DynamoDB: write units a second of a table", 40_000, lambda w: w.rate * w.run.writes, "request"),
    Quota("DynamoDB: a shard of a project's quota, writes", 1_000, lambda w: w.quota_shard_writes, "projects"),
    Quota("DynamoDB: one project in its 8 list shards, writes", 8_000, lambda w: w.rate * 2 / w.projects, "projects"),
    Quota("DynamoDB: 16 shards of the due index, writes a second", 16_000, lambda w: w.rate * 3, "DueShards"),
    Quota("SQS: messages in flight of a queue", 120_000, lambda w: w.rate * w.run_secs, "more queues"),
    Quota("KMS: operations a second (runs with own secrets)", 10_000, lambda w: w.rate * 2, "request; endpoints"),
    Quota("EventBridge: PutEvents a second, smallest regions", 600, lambda w: w.rate * w.run.events / 10, "request"),
    Quota("EC2: vCPUs of spot or on-demand hosts", 640, lambda w: w.runners * SLOTS, "request"),
    Quota("ECS: hosts of a cluster", 5_000, lambda w: w.runners, "more fleets"),
    Quota("ECS: tasks of a cluster that wait for a host", 500, lambda w: w.runners * 0.5, "higher Floor; request"),
    Quota("ALB: targets", 1_000, lambda w: w.runners, "more fleets"),
    Quota("DynamoDB: heartbeats a second on one key", 1_000, lambda w: w.runners / HEARTBEAT_SECS, "HEARTBEAT_SECS"),
    Quota("DynamoDB: reads of all runners for their summary", 3_000, lambda w: w.summary_reads, "more fleets"),
    Quota("WebhookSenders: webhooks at once", 1_000, lambda w: w.rate * _DELIVERY_SECS, "request; batches"),
)
# A new account has 10 to 1,000 concurrent invocations, and 5 to 640 vCPUs.


def table(run: Run, run_secs: float, projects: int) -> str:
    """Return one line for each quota. A star: it is used up."""
    lines = [f"{'quota':<54}{'default':>10}" + "".join(f"{f'{rate:,}/s':>12}" for rate in RATES) + "  way out"]
    for quota in QUOTAS:
        used = [quota.used(Workload(rate, run, run_secs, projects)) for rate in RATES]
        cells = "".join(f"{f'{value:,.0f}':>11}{'*' if value > quota.limit else ' '}" for value in used)
        lines.append(f"{quota.name:<54}{quota.limit:>10,.0f}{cells}  {quota.way_out}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run-secs", type=float, default=0.5, help="mean time of a run in its slot")
    parser.add_argument("--projects", type=int, default=100, help="projects that share the load equally")
    parser.add_argument("--host-dollars", type=float, default=HOST_DOLLARS, help="an hour of a host with 4 vCPUs")
    asked = parser.parse_args(arguments)
    for run in (POLLED, WEBHOOK):
        print(f"{run.name}, {asked.run_secs:g} s each, {asked.projects} projects")  # noqa: T201 - the output
        print(table(run, asked.run_secs, asked.projects) + "\n")  # noqa: T201
    print(cost_tables(asked.run_secs, asked.host_dollars))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
