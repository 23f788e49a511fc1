"""After a rollback: checks that the next minor version wrote are shown, run, changed and followed as before."""

from typing import Any

import pytest

from tests.adapters.checks.check_world import CheckWorld, prints
from tests.adapters.newer_rows import make_newer, without_new

SETTINGS: dict[str, Any] = {
    "schedule": "rate(5 minutes)",
    "limits": {"memory_mb": 64},
    "env": {"TOKEN": "a secret value"},
    "assertions": [{"type": "stdout", "contains": "42"}, {"type": "wall_time", "at_most_secs": 5}],
    "fail_after": {"needed": 2, "of": 3},
    "tags": ["nightly"],
}


def test_checks_of_the_next_minor_version_are_shown_as_before(world: CheckWorld) -> None:
    first = world.create(**SETTINGS)
    world.create(name="Follows", trigger={"type": "check", "slug": first["slug"]})
    world.settle(5 * 60)
    listed = world.call("GET", "/api/checks").json
    shown = world.show(first)
    assert make_newer(world.aws) > 10
    assert without_new(world.call("GET", "/api/checks").json) == listed
    assert without_new(world.show(first)) == shown


def test_a_run_that_the_next_minor_version_began_ends_here_and_starts_the_next(world: CheckWorld) -> None:
    world.endpoint()
    world.answer = prints("42\n")
    first = world.create(**SETTINGS)
    second = world.create(name="Follows", trigger={"type": "check", "slug": first["slug"]})
    world.time.ms += 5 * 60 * 1000
    world.schedule()
    make_newer(world.aws)
    world.settle()
    make_newer(world.aws)
    world.settle(60)
    assert world.statuses(first) == ["passed"]
    assert world.statuses(second) == ["passed"]


@pytest.mark.parametrize("name", ["new_setting", "limits"])
def test_clients_get_no_unknown_settings_past_the_api(world: CheckWorld, name: str) -> None:
    check = world.create(**SETTINGS)
    make_newer(world.aws)
    wrong = {name: {"new": 1}}
    assert world.call("PATCH", f"/api/checks/{check['id']}", wrong).status == 422
    changed = world.call("PATCH", f"/api/checks/{check['id']}", {"tags": ["weekly"]})
    assert (changed.status, changed.json["tags"], changed.json["limits"]) == (200, ["weekly"], {"memory_mb": 64})
