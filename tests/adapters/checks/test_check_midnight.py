"""Hundreds of checks of one project are due at midnight."""

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from functions.aws.clients import Clients
from functions.checks.settings.store import CheckStore
from functions.clock import from_rfc3339
from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import MINUTE, CheckWorld
from tests.adapters.quota_usage import whole_usage

MIDNIGHT_MS = from_rfc3339("2026-11-25T00:00:00Z")
SPREAD_MINUTES = 10
_IDS = UUID("5b7c8d9e-0f1a-4b2c-8d3e-4f5a6b7c8d9e")


def create_checks(world: CheckWorld, count: int) -> None:
    """Create checks with ids that are the same in each run of this test."""
    store = world.env[CheckStore]
    shown = world.create(name="check 0", schedule="0 0 * * *")
    assert shown["spread_minutes"] == SPREAD_MINUTES
    first = store.get(PROJECT_ID, shown["id"], with_source=True)
    assert first is not None
    for number in range(1, count):
        store.create(
            replace(
                first,
                check_id=str(uuid5(_IDS, str(number))),
                badge_token=f"badge-{number}",
                settings=first.settings.model_copy(update={"slug": f"check-{number}"}),
            )
        )


def every_item(world: CheckWorld, table: str) -> list[dict[str, Any]]:
    pages = world.aws.client("dynamodb").get_paginator("scan").paginate(TableName=world.aws.names[table])
    return [item for page in pages for item in page["Items"]]


@pytest.mark.parametrize(
    ("count", "quota", "minutes"),
    [
        (200, Quota(per_minute=30, per_day=400, in_flight=22), SPREAD_MINUTES + 1),
        (50, Quota(per_minute=3, per_day=100, in_flight=3), 20),
    ],
    ids=["a quota for the spread", "too small a quota for the spread"],
)
def test_all_run_once_inside_the_quota(world: CheckWorld, count: int, quota: Quota, minutes: int) -> None:
    projects = ProjectStore(world.aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project(PROJECT_ID, "Tests", quotas={"judge": quota}))
    create_checks(world, count)
    world.time.ms = MIDNIGHT_MS
    started: list[int] = []
    for _ in range(minutes + 1):
        world.schedule()
        usage = whole_usage(world.aws, PROJECT_ID)
        assert usage.in_flight <= quota.in_flight
        started.append(world.run_programs())
        world.hints()
        world.time.advance(MINUTE)
    assert sum(started) == count
    assert max(started) <= min(quota.per_minute, quota.in_flight)
    runs = [item for item in every_item(world, "ChecksTable") if item["pk"]["S"].startswith("RUNS#")]
    assert Counter(run["status"]["S"] for run in runs) == {"passed": count}
    assert len({run["check_id"]["S"] for run in runs}) == count
    submissions = [item for item in every_item(world, "SubmissionsTable") if "metadata" in item]
    assert Counter(item["metadata"]["M"]["check_run_id"]["S"] for item in submissions).most_common(1)[0][1] == 1
    assert len(submissions) == count
