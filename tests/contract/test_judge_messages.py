"""Rules of the messages of judge runs that a schema does not say, on both sides."""

import json
from typing import Any

import pytest

from functions.errors import MessageInvalidError
from functions.messages import judged, judging
from sandbox_runtime import messages as runner
from tests.submission_factory import golden

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
