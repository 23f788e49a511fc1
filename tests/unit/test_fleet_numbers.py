"""The fleet's template has the numbers of the page about scale, and its commands print the page's costs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench import scaling
from bench.scaling_costs import HOST_DOLLARS, cost_tables
from functions.projects.bodies import PER_MINUTE_MAX
from infra.deploy.costs import POLLED, SYNCHRONOUS
from infra.sam_template import read

# A simulation chose these numbers: docs/scaling.md has what it printed.
STEPS = [[30, 100], [60, 200], [120, 400]]
"""Age of the oldest submission in seconds, and the growth in per cent from there on."""
COOLDOWN_SECS, SHRINK_BELOW, SHRINK_MINUTES, SHRINK_PERCENT = 300, 0.4, 5, 25
SLOTS = 4


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = read(Path(__file__).parents[2] / "infra" / "runner_fleet.yaml")["Resources"]
    return {name: item["Properties"] for name, item in found.items() if "Properties" in item}


def test_the_template_grows_and_shrinks_by_the_chosen_numbers(resources: dict[str, Any]) -> None:
    grow = resources["Grow"]["StepScalingPolicyConfiguration"]
    threshold = resources["LateAlarm"]["Threshold"]
    bounds = [step["MetricIntervalLowerBound"] + threshold for step in grow["StepAdjustments"]]
    percents = [step["ScalingAdjustment"] for step in grow["StepAdjustments"]]
    assert [list(step) for step in zip(bounds, percents, strict=True)] == STEPS
    uppers = [step.get("MetricIntervalUpperBound") for step in grow["StepAdjustments"]]
    assert uppers == [bound - threshold for bound in bounds[1:]] + [None]
    assert grow["Cooldown"] == COOLDOWN_SECS
    shrink = resources["Shrink"]["StepScalingPolicyConfiguration"]
    assert shrink["StepAdjustments"] == [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -SHRINK_PERCENT}]
    assert resources["IdleAlarm"]["EvaluationPeriods"] == SHRINK_MINUTES
    assert resources["IdleAlarm"]["Threshold"] == SHRINK_BELOW
    assert shrink["Cooldown"] == SHRINK_MINUTES * 60
    assert [grow["AdjustmentType"], shrink["AdjustmentType"]] == ["PercentChangeInCapacity"] * 2


def test_the_alarms_count_an_age_only_while_more_wait_than_there_are_slots(resources: dict[str, Any]) -> None:
    (late,) = [item["Expression"] for item in resources["LateAlarm"]["Metrics"] if item.get("Expression")]
    condition, of_both_queues, of_one_queue = late["Fn::If"]  # the fleet of runs with network has no batch queue
    assert condition == "HasBatch"
    assert of_both_queues == (
        f"IF(FILL(waiting_interactive, 0) + FILL(waiting_batch, 0) > FILL(hosts, 0) * {SLOTS}, "
        "MAX([FILL(age_interactive, 0), FILL(age_batch, 0)]), 0)"
    )
    assert of_one_queue == (f"IF(FILL(waiting_interactive, 0) > FILL(hosts, 0) * {SLOTS}, FILL(age_interactive, 0), 0)")
    (busy,) = [item["Expression"] for item in resources["IdleAlarm"]["Metrics"] if item.get("Expression")]
    assert all(f"(hosts * {SLOTS})" in expression for expression in busy["Fn::If"][1:])
    (container,) = resources["Runner"]["ContainerDefinitions"]
    assert {"Name": "SLOTS", "Value": str(SLOTS)} in container["Environment"]


def test_the_page_about_scale_shows_the_costs_that_its_command_prints() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert json.dumps(STEPS) in page
    _, costs, _ = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert costs.rstrip("\n") in cost_tables(0.5, HOST_DOLLARS)


def test_quotas_are_reached_in_the_documented_order() -> None:
    def rate_at(name: str, projects: int) -> float:
        (quota,) = [quota for quota in scaling.QUOTAS if quota.name.startswith(name)]
        return quota.limit / quota.used(scaling.Workload(1e6, POLLED, 0.5, projects)) * 1e6

    for run_secs in (0.05, 0.1, 0.5, 1.8):
        assert scaling.Workload(PER_MINUTE_MAX / 60, POLLED, run_secs, 1).quota_shard_writes < 500
    assert int(rate_at("DynamoDB: one project in its 8 list shards", 1)) == 4000
    assert int(rate_at("DynamoDB: 16 shards", 1)) == 5333
    assert 4000 < rate_at("ALB: targets", 1) < 5000
    assert scaling.Workload(50_000, POLLED, 0.5, 1).runners == 10_417


def test_a_synchronous_run_holds_an_invocation_as_long_as_it_lasts() -> None:
    waiting = scaling.Workload(100, SYNCHRONOUS, 2.0, 1)
    assert 200 < waiting.invocations < 220
    assert scaling.Workload(100, POLLED, 2.0, 1).invocations < 20
