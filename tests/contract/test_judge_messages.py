"""Rules of the messages of judge runs that a schema does not say, on both sides."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from functions.errors import MessageInvalidError
from functions.messages import judged, judging
from functions.messages.files import MAX_CASES
from sandbox_runtime import messages as runner
from sandbox_runtime.messages import judging as runner_judging
from sandbox_runtime.messages.files import MAX_CASES as RUNNER_MAX_CASES
from tests.submission_factory import EVENTS, golden

REQUEST_SCHEMA = json.loads((EVENTS / "judge_requested" / "v3.schema.json").read_text())
JUDGING_SCHEMA = {"$defs": REQUEST_SCHEMA["$defs"], "$ref": "#/$defs/Judging"}

OWN = "outputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11/0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02/"
OTHER = "outputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11/00000000-0000-4000-8000-000000000000/"


def with_stream(name: str, key: str) -> dict[str, Any]:
    document = golden("judge_completed/v1.large_output")
    document["cases"][0]["run"][name]["object_key"] = key
    return document


@pytest.mark.parametrize(
    ("stream", "key"),
    [
        ("stdout", OTHER + "case-0-stdout"),
        ("stdout", OWN + "case-1-stdout"),
        ("stdout", OWN + "cases"),
        ("stdout", "inputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"),
        ("stderr", OWN + "case-0-stdout"),
    ],
)
def test_a_runner_cannot_name_an_object_of_another_run_or_case(stream: str, key: str) -> None:
    document = with_stream(stream, key)
    with pytest.raises(MessageInvalidError):
        judged.JudgeCompleted.parse(json.dumps(document))
    whole = judged.JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.large")))
    with pytest.raises(MessageInvalidError):
        whole.read_cases(json.dumps({"cases": document["cases"]}))


@pytest.mark.parametrize("key", [OTHER + "cases", OWN + "case-0-stdout", OWN + "stdout"])
def test_a_runner_cannot_name_the_results_of_another_run(key: str) -> None:
    with pytest.raises(MessageInvalidError):
        judged.JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.large") | {"cases_key": key}))


def test_the_object_with_the_results_equals_the_runners() -> None:
    inline = golden("judge_completed/v1.mixed")
    written = runner.parse(runner.JudgeCompleted, json.dumps(inline)).cases
    assert written is not None
    text = json.dumps(runner.as_fields(runner.CaseResults(written)))
    assert judged.JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.large"))).read_cases(text) == (
        judged.JudgeCompleted.parse(json.dumps(inline)).cases
    )


def test_the_runner_reads_the_object_with_the_cases() -> None:
    message = judging.JudgeRequested.parse(json.dumps(golden("judge_requested/v1.full")))
    assert message.judging is not None
    read = runner.read_judging(message.judging.serialise())
    assert read == runner.parse(runner.JudgeRequested, json.dumps(golden("judge_requested/v1.full"))).judging


type Functions = type[judging.JudgeRequested | judged.JudgeCompleted]

SIDES: dict[str, tuple[Functions, type, str, str]] = {
    "judge_requested": (judging.JudgeRequested, runner.JudgeRequested, "full", "judging"),
    "judge_completed": (judged.JudgeCompleted, runner.JudgeCompleted, "mixed", "cases"),
}


@pytest.mark.parametrize("kind", SIDES)
def test_a_message_holds_its_cases_or_says_where_they_are(kind: str) -> None:
    functions_type, runner_type, full, name = SIDES[kind]
    stored = golden(f"{kind}/v1.large")
    both = golden(f"{kind}/v1.{full}") | {f"{name}_key": stored[f"{name}_key"]}
    for document in (both, stored | {f"{name}_key": None}):
        with pytest.raises(MessageInvalidError):
            functions_type.parse(json.dumps(document))
        with pytest.raises(runner.MessageInvalidError):
            runner.parse(runner_type, json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        {"checkers": [{"kind": "program"}]},
        {"checkers": [{"kind": "lines", "program": None}]},
        {"checkers": []},
        {"cases": []},
        {"cases": [{"stdin_base64": "", "args": [], "limits": {}, "checker": 1}], "checkers": [{"kind": "lines"}]},
        {"cases": [{"stdin_base64": "", "args": ["\0"], "limits": {}, "checker": 0}]},
        {"cases": [{"stdin_base64": "%", "args": [], "limits": {}, "checker": 0}]},
        {"stop": "maybe"},
    ],
)
def test_the_runner_refuses_cases_that_it_cannot_judge(change: dict[str, Any]) -> None:
    document = golden("judge_requested/v1.minimal")["judging"] | change
    with pytest.raises(runner.MessageInvalidError):
        runner.read_judging(json.dumps(document))


@pytest.mark.parametrize("name", ["../testlib.h", "a/b", ".hidden", "-o", "", "x" * 65, "tést.h"])
def test_a_file_of_a_checker_has_a_plain_name(name: str) -> None:
    document = golden("judge_requested/v1.full")
    document["judging"]["checkers"][2]["program"]["files"][0]["name"] = name
    with pytest.raises(runner.MessageInvalidError):
        runner.parse(runner.JudgeRequested, json.dumps(document))
    with pytest.raises(MessageInvalidError):
        judging.JudgeRequested.parse(json.dumps(document))


STORED: dict[str, Any] = {
    "key": "files/5d1f0c5b3e6a4f0a8d2b7c9e1f3a5b7d",
    "size": judging.MAX_CASE_BYTES,
    "sha256": "dd56de4137951d9c92681b03416ec15f886b4482a27e3a517d32f085244cbe5d",
}
SMALL_CASE: dict[str, Any] = {"args": [], "limits": {}, "checker": 0}


def stored_problem(*cases: dict[str, Any]) -> str:
    """The object that all judge runs of a problem share."""
    return json.dumps({"checkers": [{"kind": "lines"}], "cases": cases, "groups": [], "stop": "never"})


def test_a_case_has_its_input_and_its_expected_output_here_or_in_objects() -> None:
    text = stored_problem(
        SMALL_CASE | {"stdin_base64": "", "expected_base64": "Mwo="},
        SMALL_CASE | {"stdin_object": STORED},
        SMALL_CASE | {"stdin_object": STORED, "expected_object": STORED | {"size": 0}},
        SMALL_CASE | {"stdin_object": STORED, "expected_base64": ""},
    )
    written = judging.Judging.model_validate_json(text).serialise()
    assert json.loads(written) == json.loads(text)
    validator = Draft202012Validator(JUDGING_SCHEMA)
    validator.validate(json.loads(text))
    assert runner.as_fields(runner.read_judging(written)) == json.loads(text)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"stdin_base64": "", "stdin_object": STORED},
        {"stdin_base64": "", "expected_base64": "", "expected_object": STORED},
        {"stdin_object": STORED | {"size": judging.MAX_CASE_BYTES + 1}},
        {"stdin_base64": "", "expected_object": STORED | {"size": judging.MAX_CASE_BYTES + 1}},
        {"stdin_object": STORED | {"key": "judge-inputs/x"}},
        {"stdin_object": STORED | {"key": "files/../outputs/x"}},
        {"stdin_object": STORED | {"sha256": "x"}},
    ],
    ids=str,
)
def test_both_sides_refuse_a_case_in_two_forms_and_an_object_that_is_no_file(case: dict[str, Any]) -> None:
    text = stored_problem(SMALL_CASE | case)
    with pytest.raises(ValidationError):
        judging.Judging.model_validate_json(text)
    with pytest.raises(runner.MessageInvalidError):
        runner.read_judging(text)
    assert not Draft202012Validator(JUDGING_SCHEMA).is_valid(json.loads(text))


def test_both_sides_have_the_same_bounds_of_cases() -> None:
    assert (MAX_CASES, judging.MAX_CASE_BYTES) == (RUNNER_MAX_CASES, runner_judging.MAX_CASE_BYTES)


@pytest.mark.parametrize("version", [1, 2])
def test_a_runner_that_knows_no_stored_problems_refuses_them_by_their_version(version: int) -> None:
    text = json.dumps(golden("judge_requested/v3.problem") | {"version": version})
    with pytest.raises(runner.MessageInvalidError):
        runner.parse_request(text)
    with pytest.raises(MessageInvalidError):
        judging.JudgeRequested.parse(text)
