import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from functions.checks.assertions import SEARCHED_BYTES, Assertion, Assertions, to_stored
from functions.checks.evaluation import SHOWN_CHARS, AssertionResult, Evaluation, Outcome, evaluate

LIST: TypeAdapter[list[Assertion]] = TypeAdapter(Assertions)


def outcome(**changes: Any) -> Outcome:
    usual = {"verdict": "AC", "exit_code": 0, "stdout": b"ok\n", "stderr": b""}
    return Outcome(**{**usual, "wall_time_secs": 0.25, "memory_peak_bytes": 8 * 1024 * 1024, **changes})


def run(*wanted: dict[str, Any], last_good: bytes | None = None, should_fail: bool = False, **got: Any) -> Evaluation:
    return evaluate(LIST.validate_python(list(wanted)), outcome(**got), last_good, should_fail=should_fail)


def last(evaluation: Evaluation) -> tuple[str, str, bool]:
    result = evaluation.results[-1]
    return result["expected"], result["actual"], result["passed"]


def failed_of(evaluation: Evaluation) -> list[AssertionResult]:
    """The results that say why a run did not pass."""
    assert not evaluation.passed
    return [result for result in evaluation.results if not result["passed"]]


def test_a_check_without_assertions_asserts_the_verdict_ac() -> None:
    assert run() == Evaluation(
        (AssertionResult(assertion="verdict is AC", expected="AC", actual="AC", passed=True),), passed=True
    )
    (failed,) = failed_of(run(verdict="TLE"))
    assert failed == {"assertion": "verdict is AC", "expected": "AC", "actual": "TLE", "passed": False}


def connected(host: str, error: str | None = None) -> dict[str, Any]:
    return {"name": host, "port": 443, "first_error": error}


def test_a_check_with_network_asserts_that_no_connection_failed() -> None:
    good, bad = connected("a.example"), connected("b.example", "timed out")
    assert [result["assertion"] for result in evaluate([], outcome(), None, has_network=True).results][1:] == [
        "failed connections"
    ]
    assert evaluate([], outcome(connections=[good]), None, has_network=True).passed
    (failed,) = failed_of(evaluate([], outcome(connections=[good, bad]), None, has_network=True))
    assert (failed["expected"], failed["actual"]) == ("none", "b.example:443 timed out")
    assert evaluate([], outcome(connections=[bad]), None).passed  # a runner may say so of a run without network
    many = [connected(f"{number}.example", "timed out") for number in range(64)]
    (failed,) = failed_of(evaluate([], outcome(connections=many), None, has_network=True))
    assert len(failed["actual"]) == SHOWN_CHARS


def test_failed_connections_can_be_allowed() -> None:
    allowed = LIST.validate_python([{"type": "network", "allow_failed": True}])
    bad = connected("b.example", "timed out")
    assert evaluate(allowed, outcome(connections=[bad]), None, has_network=True).passed


def test_an_asserted_verdict_replaces_ac() -> None:
    assert run({"type": "verdict", "equals": "RE"}, verdict="RE", exit_code=3).passed
    assert not run({"type": "verdict", "equals": "RE"}).passed


def test_every_assertion_is_reported_not_only_the_first_failure() -> None:
    evaluation = run(
        {"type": "exit_code", "equals": 0},
        {"type": "stderr_empty"},
        {"type": "stdout", "contains": "ok"},
        verdict="RE",
        exit_code=2,
        stderr=b"boom",
    )
    assert list(evaluation.results) == [
        {"assertion": "verdict is AC", "expected": "AC", "actual": "RE", "passed": False},
        {"assertion": "exit code is 0", "expected": "0", "actual": "2", "passed": False},
        {"assertion": "stderr is empty", "expected": "nothing", "actual": "boom", "passed": False},
        {"assertion": "stdout contains 'ok'", "expected": "ok", "actual": "ok\n", "passed": True},
    ]
    assert len(failed_of(evaluation)) == 3


@pytest.mark.parametrize(
    ("wanted", "got", "passed"),
    [
        ({"type": "exit_code", "equals": 0}, {"exit_code": None}, False),
        ({"type": "stdout", "equals": "ok"}, {}, True),  # the line end at the end does not count
        ({"type": "stdout", "equals": "ok\n"}, {"stdout": b"ok\r\n"}, True),
        ({"type": "stdout", "equals": "o k"}, {}, False),
        ({"type": "stdout", "equals": ""}, {"stdout": b""}, True),
        ({"type": "stdout", "contains": "é"}, {"stdout": "café".encode()}, True),
        ({"type": "stdout", "contains": "x"}, {}, False),
        ({"type": "stdout", "matches": r"^ok\s$"}, {}, True),
        ({"type": "stdout", "matches": "(?m)^b$"}, {"stdout": b"a\nb\nc"}, True),
        ({"type": "stdout", "matches": "^b$"}, {"stdout": b"a\nb\nc"}, False),
        ({"type": "stdout", "matches": "x"}, {"stdout": b"\xff\xfex"}, True),
        ({"type": "wall_time", "at_most_secs": 0.25}, {}, True),
        ({"type": "wall_time", "at_most_secs": 0.2}, {}, False),
        ({"type": "wall_time", "at_most_secs": 60}, {"wall_time_secs": None}, False),
        ({"type": "memory", "at_most_mb": 8}, {}, True),
        ({"type": "memory", "at_most_mb": 7.9}, {}, False),
        ({"type": "stderr_empty"}, {"stderr": b" "}, False),
    ],
)
def test_an_assertion_passes_only_for_the_expected_value(
    wanted: dict[str, Any], got: dict[str, Any], *, passed: bool
) -> None:
    assert run(wanted, **got).results[-1]["passed"] is passed


@pytest.mark.parametrize(
    ("path", "operator", "target", "passed"),
    [
        ("$", "exists", True, True),
        ("$.a.b[1].c", "equals", 3, True),
        ("$.a.b[-1]['c']", "equals", 3.0, True),
        ('$["a"]["b"][0]', "equals", None, True),
        ("$.a.b", "equals", [None, {"c": 3}], True),
        ("$.flag", "equals", 1, False),  # true is no number
        ("$.flag", "equals", True, True),
        ("$.a.b[1].c", "equals", "3", False),
        ("$.a.missing", "equals", None, False),
        ("$.a.missing", "exists", False, True),
        ("$.a.b[0]", "exists", True, True),
        ("$.a.b[2]", "exists", True, False),
        ("$.a.b[0].c", "exists", True, False),
        ("$.a.b[1].c", "less_than", 3.5, True),
        ("$.a.b[1].c", "less_than", 3, False),
        ("$.a.b[1].c", "greater_than", 2, True),
        ("$.flag", "greater_than", 0, False),
        ("$.text", "less_than", 100, False),
    ],
)
def test_a_json_path_compares(path: str, operator: str, target: Any, *, passed: bool) -> None:
    stdout = json.dumps({"a": {"b": [None, {"c": 3}]}, "flag": True, "text": "1"}).encode()
    assert run({"type": "json", "path": path, operator: target}, stdout=stdout).results[-1]["passed"] is passed


@pytest.mark.parametrize("stdout", [b"", b"no", b"NaN", b"\xff", b"[" * 100_000, b"1" * 5_000])
def test_output_that_is_no_json_fails_every_json_assertion_and_breaks_nothing(stdout: bytes) -> None:
    expected, actual, passed = last(run({"type": "json", "path": "$.a", "exists": False}, stdout=stdout))
    assert (expected, passed) == ("false", False)
    assert actual.startswith("stdout is not JSON: ")


def test_a_deep_document_is_compared_and_shown_without_an_error() -> None:
    deep = b"[" * 900 + b"]" * 900
    assert not run({"type": "json", "path": "$", "equals": [[1]]}, stdout=deep).passed


def test_the_last_good_output_is_compared_byte_by_byte() -> None:
    assert run({"type": "same_as_last_good"}, last_good=None).passed
    assert run({"type": "same_as_last_good"}, last_good=b"ok\n").passed
    assert last(run({"type": "same_as_last_good"}, last_good=b"ok")) == ("ok", "ok\n", False)


def test_a_late_difference_in_a_long_output_is_shown() -> None:
    good = b"same line\n" * 500
    expected, actual, passed = last(run({"type": "same_as_last_good"}, last_good=good + b"1\n", stdout=good + b"2\n"))
    assert not passed
    assert expected == "line 501: …" + "same line\n" * 4 + "1\n"
    assert actual == "line 501: …" + "same line\n" * 4 + "2\n"


def test_texts_of_evaluated_assertions_are_cut() -> None:
    long = "x" * 4_000
    evaluation = run(
        {"type": "stdout", "contains": long},
        {"type": "stdout", "equals": long},
        {"type": "json", "path": "$", "equals": long},
        {"type": "stderr_empty"},
        {"type": "same_as_last_good"},
        stdout=b"y" * 1_000_000,
        stderr=b"z" * 1_000_000,
        last_good=b"q" * 1_000_000,
    )
    assert len(failed_of(evaluation)) == 5
    for result in evaluation.results:
        assert max(len(result["assertion"]), len(result["expected"]), len(result["actual"])) <= SHOWN_CHARS


def test_a_check_that_should_fail_passes_when_an_assertion_fails() -> None:
    assert run(should_fail=True, verdict="RE").passed


def test_a_check_that_should_fail_and_holds_says_so() -> None:
    evaluation = run(should_fail=True)
    assert not evaluation.passed
    (failed,) = failed_of(evaluation)
    assert (failed["assertion"], failed["expected"]) == ("should_fail", "at least one assertion fails")
    assert (failed["actual"], failed["passed"]) == ("every assertion holds", False)


def test_many_patterns_share_one_limit() -> None:
    wanted = [{"type": "stdout", "matches": "[ab]*a[ab]{200}c"}] * 4
    assert len(LIST.validate_python(wanted)) == 4
    with pytest.raises(ValidationError, match="states together"):
        LIST.validate_python([*wanted, wanted[0]])


def test_a_pattern_sees_the_first_64_kib_only() -> None:
    wanted = {"type": "stdout", "matches": "needle"}
    assert run(wanted, stdout=b"a" * (SEARCHED_BYTES - 6) + b"needle").passed
    assert not run(wanted, stdout=b"a" * SEARCHED_BYTES + b"needle").passed


def test_a_pattern_that_explodes_in_a_backtracking_engine_gives_an_answer() -> None:
    assert not run({"type": "stdout", "matches": "^(a+)+$"}, stdout=b"a" * 60_000 + b"b").passed


def test_stored_assertions_equal_those_of_the_request() -> None:
    sent = [
        {"type": "json", "path": "$.a", "equals": None},
        {"type": "json", "path": "$.a", "exists": True},
        {"type": "stdout", "equals": ""},
        {"type": "verdict", "equals": "AC"},
        {"type": "same_as_last_good"},
    ]
    read = LIST.validate_python(to_stored(LIST.validate_python(sent)))
    assert to_stored(read) == sent


def test_half_a_character_in_json_output_is_shown_as_text_that_utf8_can_write() -> None:
    evaluation = run({"type": "json", "path": "$.a", "equals": "b"}, stdout=b'{"a": "\\ud800"}')
    assert last(evaluation) == ('"b"', '"?"', False)


@pytest.mark.parametrize(
    "wanted", [{"type": "stdout"}, {"type": "stdout", "equals": "a", "contains": "b"}, {"type": "json", "path": "$"}]
)
def test_the_schema_refuses_two_operators_as_the_model_does(wanted: dict[str, Any]) -> None:
    validator = Draft202012Validator(LIST.json_schema())
    assert not validator.is_valid([wanted])
    with pytest.raises(ValidationError, match="exactly one of"):
        LIST.validate_python([wanted])
    assert validator.is_valid([{"type": "stdout", "equals": "a"}, {"type": "json", "path": "$", "exists": True}])


def test_a_bound_is_a_finite_number() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        LIST.validate_python([{"type": "json", "path": "$", "less_than": float("nan")}])
