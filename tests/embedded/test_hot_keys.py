"""A thousand webhooks of one project in a second write no partition more than DynamoDB carries in it."""

from collections import Counter
from typing import Any

import pytest

from bench.counted_calls import counted_system
from bench.partitions import PARTITIONS, UNITS_A_SEC, Partition
from functions.projects.model import Quota
from infra.embedded.dynamodb import items, writes

ENDPOINTS, RUNS = 20, 50
_RUNS_TOGETHER = 10
_LIMITS = {(each.table.lower(), each.key): each for each in PARTITIONS}


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str, str]]:
    """Write units by table, index and partition key."""
    counted: Counter[tuple[str, str, str]] = Counter()
    write_units = items.write_units

    def count(table: Any, old: Any, new: Any, *, transaction: bool = False) -> float:
        for index, key, spent in items.written(table, old, new, transaction=transaction):
            counted[table.name, index, key] += spent
        return write_units(table, old, new, transaction=transaction)

    monkeypatch.setattr(writes, "write_units", count)
    return counted


def partition_of(table: str, index: str, key: str) -> Partition:
    """Return the entry of the list."""
    return _LIMITS[table, index or f"{key.partition('#')[0]}{'#' if '#' in key else ''}"]


@pytest.mark.timeout(400)
def test_a_thousand_webhooks_of_one_project_keep_each_key_below_its_share(units: Counter[tuple[str, str, str]]) -> None:
    quota = Quota(per_minute=100_000, per_day=1_000_000, in_flight=1_000)
    with counted_system(quota, slots=8, runner_latency_secs=0) as system:
        for _ in range(ENDPOINTS):
            system.add_endpoint()
        system.submitted(1)
        units.clear()
        system.receiver.received.clear()
        for _ in range(RUNS // _RUNS_TOGETHER):
            system.submitted(_RUNS_TOGETHER)
        assert len(system.receiver.received) == ENDPOINTS * RUNS
    found = {name: spent for name, spent in units.items() if name[0] not in {"projectstable", "runnerstable"}}
    assert {name: spent for name, spent in found.items() if spent > UNITS_A_SEC} == {}
    by_kind: Counter[tuple[str, str]] = Counter()
    for (table, index, key), spent in found.items():
        each = partition_of(table, index, key)
        by_kind[each.table, each.key] += spent
    webhooks = ENDPOINTS * RUNS
    for name in ("by_project_shard", "by_endpoint", "due"):
        assert by_kind["DeliveriesTable", name] == webhooks * _LIMITS["deliveriestable", name].units
    # Successes are counted in the process, and nothing else of the project is written.
    assert by_kind["DeliveriesTable", "PROJECT#"] < webhooks / 4
