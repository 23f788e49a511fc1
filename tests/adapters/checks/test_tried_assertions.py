"""POST /api/checks/assertions/try says what a check with these assertions would say, and needs a key."""

from typing import Any

import pytest

from functions.checks.run_api import MAX_TRIED_CHARS
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.http_calls import call, event

PATH = "/api/checks/assertions/try"


def test_each_assertion_is_answered_with_what_it_expected_and_got(world: CheckWorld) -> None:
    assertions = [{"type": "json", "path": "$.n", "greater_than": 3}, {"type": "same_as_last_good"}]
    body = {"assertions": assertions, "outcome": {"stdout": '{"n": 3}'}, "last_good": '{"n": 3}'}
    answer = world.call("POST", PATH, body)
    assert answer.status == 200
    assert [(one["passed"], one["expected"], one["actual"]) for one in answer.json["assertions"]] == [
        (True, "AC", "AC"),
        (False, "3.0", "3"),
        (True, '{"n": 3}', '{"n": 3}'),
    ]
    assert not answer.json["passed"]
    assert world.call("POST", PATH, {"assertions": [], "outcome": {}}).json["passed"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"assertions": [{"type": "stdout", "matches": "("}]}, "assertions"),
        ({"assertions": [{"type": "exit_code", "equals": 0}] * 21}, "assertions"),
        ({"outcome": {"stdout": "x" * (MAX_TRIED_CHARS + 1)}}, "outcome.stdout"),
        ({"outcome": {"verdict": "OK"}}, "outcome.verdict"),
        ({"project": "another"}, "project"),
    ],
)
def test_what_no_check_could_have_is_refused(world: CheckWorld, change: dict[str, Any], field: str) -> None:
    answer = world.call("POST", PATH, {"assertions": [], "outcome": {}} | change)
    assert answer.status == 422
    assert answer.json["fields"][0]["field"].startswith(field)


def test_nobody_tries_assertions_without_a_key(world: CheckWorld) -> None:
    assert world is not None
    assert call(event("POST", PATH, body="{}")).status == 401
