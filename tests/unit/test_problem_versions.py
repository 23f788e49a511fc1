"""The version of a problem is the hash of its content: one that was pushed before an update is found after it."""

import json
from typing import Any

import pytest

from events.vocabulary import Language
from functions.judging.problem_store import version_of
from functions.judging.problems import parse_problem

SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
WITH_FILES: dict[str, Any] = {
    "id": "p",
    "cases": [
        {"stdin": "1", "expected": "2", "limits": {"cpu_time_secs": 1}},
        {"stdin_sha256": SHA256, "expected": "x", "points": 3},
        {"stdin": "a", "expected_sha256": SHA256, "group": "g"},
        {"stdin_sha256": SHA256},
        {},
    ],
    "groups": [{"id": "g"}],
    "limits": {"memory_mb": 64},
    "files": [{"path": "a.txt", "content": "x"}, {"path": "b", "sha256": SHA256}],
    "checker": {"kind": "tokens"},
    "stop": "group",
}
CHECKER = {"kind": "program", "language": "cpp", "code": "x", "protocol": "testlib"}
WITH_A_CHECKER: dict[str, Any] = {"id": "p", "cases": [{"stdin": "1", "expected": "2", "checker": CHECKER}]}


@pytest.mark.parametrize(("body", "version"), [(WITH_FILES, "2f830e25bafc33ee"), (WITH_A_CHECKER, "a476f4d88b00ae99")])
def test_versions_are_those_of_version_0_1(body: dict[str, Any], version: str) -> None:
    problem = parse_problem(json.dumps(body).encode(), offered=[Language.PYTHON, Language.CPP])
    assert version_of(problem) == version
