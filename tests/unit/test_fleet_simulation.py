"""The simulation of the fleet: its rules, and that the template has the numbers that it finds."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.projects.requests import PER_MINUTE_MAX
from infra.deploy.costs import POLLED, SYNCHRONOUS
from infra.sam_template import read
from tests.bench import fleet, scaling
from tests.bench.fleet_model import (
    BOOT_SECS,
    PLACEMENT_SECS,
    START_SECS,
    UNHEALTHY_SECS,
    VISIBILITY_SECS,
    Fault,
    Fleet,
    Load,
    Policy,
    Second,
    simulate,
    unguarded,
)
from tests.bench.scaling_costs import HOST_DOLLARS, cost_tables

SMALL = Fleet(floor=2, ceiling=10, slots=4, run_secs=0.5)  # 8 submissions a second for each runner
POLICY = Policy(steps=((30, 100), (60, 400)), cooldown_secs=300)


def _run(load: Load, policy: Policy = POLICY, of: Fleet = SMALL) -> list[Second]:
    return list(simulate(of, policy, load))


def test_a_fleet_starts_with_enough_runners_and_keeps_up() -> None:
    seconds = _run(Load(lambda _: 8.0, 600))
    assert {(second.runners, second.waiting, second.age_secs) for second in seconds} == {(2, 0.0, 0)}


def test_work_beyond_the_runners_waits_and_grows_old() -> None:
    seconds = _run(Load(lambda _: 100.0, 60), of=replace(SMALL, ceiling=2))
    assert seconds[-1].waiting == pytest.approx(60 * (100 - 16))
    assert seconds[-1].age_secs == pytest.approx(60 * (1 - 16 / 100), abs=1)


def test_a_runner_is_there_after_metric_placement_boot_and_start() -> None:
    seconds = _run(Load(lambda sec: 100.0 if sec >= 61 else 8.0, 900))
    asked = next(second.sec for second in seconds if second.desired > 2)
    came = next(second.sec for second in seconds if second.runners > 2)
    assert came - asked == PLACEMENT_SECS + BOOT_SECS + START_SECS
    assert asked == 180  # the minute at 120 shows an age of 50 s, and is there at 180


def test_a_larger_step_counts_from_the_same_capacity_until_the_cooldown_ends() -> None:
    seconds = _run(Load(lambda sec: 1000.0 if sec >= 61 else 8.0, 900), of=replace(SMALL, ceiling=100))
    assert list(dict.fromkeys(second.desired for second in seconds)) == [2, 4, 10, 50, 100]
    grown = [sec for sec in range(1, 900) if seconds[sec].desired > seconds[sec - 1].desired]
    assert grown == [180, 240, 480, 780]  # 240: five times the two of 180, not of the four


def test_the_fleet_stays_between_floor_and_ceiling() -> None:
    seconds = _run(Load(lambda sec: 100.0 if 60 <= sec < 900 else 0.0, 7200))
    assert {min(second.desired for second in seconds), max(second.desired for second in seconds)} == {2, 10}
    assert seconds[-1].desired == SMALL.floor


def test_a_stuck_runner_does_not_grow_the_fleet_unless_every_age_counts() -> None:
    load = Load(lambda _: 20.0, 1200, Fault("stuck", 300, 1 / 5))
    policy = replace(POLICY, steps=((30, 100),))
    of = replace(SMALL, floor=5)
    assert max(second.desired for second in _run(load, policy, of)) == 5
    assert max(second.desired for second in _run(load, unguarded(policy), of)) > 5
    runners = [second.runners for second in _run(load, policy, of)]
    assert runners[300:305] == [4] * 5
    assert runners[300 + UNHEALTHY_SECS + START_SECS] == 5  # the task is replaced on its host


def test_messages_of_lost_runners_come_back_after_their_visibility_timeout() -> None:
    seconds = _run(Load(lambda _: 0.0, 600, Fault("lost", 300, 1 / 2)))
    assert [second.runners for second in seconds[299:301]] == [2, 1]
    back = seconds[300 + VISIBILITY_SECS]
    assert back.waiting == 0  # the remaining runner takes the four at once
    none_left = _run(Load(lambda _: 0.0, 400, Fault("lost", 300, 1)))
    assert none_left[300 + VISIBILITY_SECS].waiting == 2 * SMALL.slots
    assert none_left[300 + VISIBILITY_SECS].age_secs == VISIBILITY_SECS


def test_the_chosen_policy_is_the_cheapest_that_ends_each_lateness_in_time() -> None:
    assert fleet.choose() == fleet.CHOSEN


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = read(Path(__file__).parents[2] / "infra" / "runner_fleet.yaml")["Resources"]
    return {name: item["Properties"] for name, item in found.items() if "Properties" in item}


def test_the_template_grows_and_shrinks_by_the_chosen_numbers(resources: dict[str, Any]) -> None:
    grow = resources["Grow"]["StepScalingPolicyConfiguration"]
    threshold = resources["LateAlarm"]["Threshold"]
    bounds = [step["MetricIntervalLowerBound"] + threshold for step in grow["StepAdjustments"]]
    percents = [step["ScalingAdjustment"] for step in grow["StepAdjustments"]]
    assert tuple(zip(bounds, percents, strict=True)) == fleet.CHOSEN.steps
    uppers = [step.get("MetricIntervalUpperBound") for step in grow["StepAdjustments"]]
    assert uppers == [bound - threshold for bound in bounds[1:]] + [None]
    assert grow["Cooldown"] == fleet.CHOSEN.cooldown_secs
    shrink = resources["Shrink"]["StepScalingPolicyConfiguration"]
    assert shrink["StepAdjustments"] == [
        {"MetricIntervalUpperBound": 0, "ScalingAdjustment": -fleet.CHOSEN.shrink_percent}
    ]
    assert resources["IdleAlarm"]["EvaluationPeriods"] == fleet.CHOSEN.shrink_minutes
    assert resources["IdleAlarm"]["Threshold"] == fleet.CHOSEN.shrink_below
    assert shrink["Cooldown"] == fleet.CHOSEN.shrink_minutes * 60
    assert [grow["AdjustmentType"], shrink["AdjustmentType"]] == ["PercentChangeInCapacity"] * 2


def test_the_alarms_count_an_age_only_while_more_wait_than_there_are_slots(resources: dict[str, Any]) -> None:
    (late,) = [item["Expression"] for item in resources["LateAlarm"]["Metrics"] if item.get("Expression")]
    slots = fleet.FLEET.slots
    assert fleet.CHOSEN.is_guarded
    condition, of_both_queues, of_one_queue = late["Fn::If"]  # the fleet of runs with network has no batch queue
    assert condition == "HasBatch"
    assert of_both_queues == (
        f"IF(FILL(waiting_interactive, 0) + FILL(waiting_batch, 0) > FILL(hosts, 0) * {slots}, "
        "MAX([FILL(age_interactive, 0), FILL(age_batch, 0)]), 0)"
    )
    assert of_one_queue == (f"IF(FILL(waiting_interactive, 0) > FILL(hosts, 0) * {slots}, FILL(age_interactive, 0), 0)")
    (busy,) = [item["Expression"] for item in resources["IdleAlarm"]["Metrics"] if item.get("Expression")]
    assert all(f"(hosts * {slots})" in expression for expression in busy["Fn::If"][1:])
    (container,) = resources["Runner"]["ContainerDefinitions"]
    assert {"Name": "SLOTS", "Value": str(slots)} in container["Environment"]


def test_the_page_about_scale_shows_nothing_that_its_commands_do_not_print() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert json.dumps(fleet.CHOSEN.steps) in page
    _, *shown = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    printed = [fleet.table(fleet.CHOSEN), cost_tables(0.5, HOST_DOLLARS)]
    assert [block for block in shown if not any(block.rstrip("\n") in text for text in printed)] == []


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
