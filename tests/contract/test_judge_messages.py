"""Rules of the messages of judge runs that a schema does not say."""

import json
from typing import Any

import pytest

from events import MessageInvalidError
from events.judged import CaseResults, JudgeCompleted
from events.message import Message, as_fields, write
from events.requested import MAX_CASE_BYTES, JudgeRequested, Judging, parse_request
from tests.contract import schema_files
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
        JudgeCompleted.parse(json.dumps(document))
    whole = JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.large")))
    with pytest.raises(MessageInvalidError):
        whole.read_cases(json.dumps({"cases": document["cases"]}))


@pytest.mark.parametrize("key", [OTHER + "cases", OWN + "case-0-stdout", OWN + "stdout"])
def test_a_runner_cannot_name_the_results_of_another_run(key: str) -> None:
    with pytest.raises(MessageInvalidError):
        JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.large") | {"cases_key": key}))


def test_the_object_with_the_results_has_those_of_a_message() -> None:
    inline = JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.mixed"))).cases
    assert inline is not None
    whole = JudgeCompleted.parse(json.dumps(golden("judge_completed/v1.large")))
    assert whole.read_cases(write(CaseResults(inline))) == inline


def test_the_object_with_the_cases_has_those_of_a_message() -> None:
    message = JudgeRequested.parse(json.dumps(golden("judge_requested/v1.full")))
    assert message.judging is not None
    assert Judging.parse(message.judging.serialise()) == message.judging


WITH_CASES: dict[str, tuple[type[Message], str, str]] = {
    "judge_requested": (JudgeRequested, "full", "judging"),
    "judge_completed": (JudgeCompleted, "mixed", "cases"),
}


@pytest.mark.parametrize("kind", WITH_CASES)
def test_a_message_holds_its_cases_or_says_where_they_are(kind: str) -> None:
    message, full, name = WITH_CASES[kind]
    stored = golden(f"{kind}/v1.large")
    both = golden(f"{kind}/v1.{full}") | {f"{name}_key": stored[f"{name}_key"]}
    for document in (both, stored | {f"{name}_key": None}):
        with pytest.raises(MessageInvalidError):
            message.parse(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        {"checkers": [{"kind": "program"}]},
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
    with pytest.raises(MessageInvalidError):
        Judging.parse(json.dumps(document))


@pytest.mark.parametrize("name", ["../testlib.h", "a/b", ".hidden", "-o", "", "x" * 65, "tést.h"])
def test_a_file_of_a_checker_has_a_plain_name(name: str) -> None:
    document = golden("judge_requested/v1.full")
    document["judging"]["checkers"][2]["program"]["files"][0]["name"] = name
    with pytest.raises(MessageInvalidError):
        JudgeRequested.parse(json.dumps(document))


STORED: dict[str, Any] = {
    "key": "files/5d1f0c5b3e6a4f0a8d2b7c9e1f3a5b7d",
    "size": MAX_CASE_BYTES,
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
    written = Judging.parse(text).serialise()
    assert json.loads(written) == json.loads(text)
    validator = schema_files.validator(JUDGING_SCHEMA)
    validator.validate(json.loads(text))
    assert as_fields(Judging.parse(written)) == json.loads(text)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"stdin_base64": "", "stdin_object": STORED},
        {"stdin_base64": "", "expected_base64": "", "expected_object": STORED},
        {"stdin_object": STORED | {"size": MAX_CASE_BYTES + 1}},
        {"stdin_base64": "", "expected_object": STORED | {"size": MAX_CASE_BYTES + 1}},
        {"stdin_object": STORED | {"key": "judge-inputs/x"}},
        {"stdin_object": STORED | {"key": "files/../outputs/x"}},
        {"stdin_object": STORED | {"sha256": "x"}},
    ],
    ids=str,
)
def test_a_case_in_two_forms_and_an_object_that_is_no_file_are_refused(case: dict[str, Any]) -> None:
    text = stored_problem(SMALL_CASE | case)
    with pytest.raises(MessageInvalidError):
        Judging.parse(text)
    is_said_by_schema = not {"expected_base64", "expected_object"} <= case.keys()
    assert schema_files.validator(JUDGING_SCHEMA).is_valid(json.loads(text)) != is_said_by_schema


@pytest.mark.parametrize(("message", "version"), [("v3.problem", 1), ("v3.problem", 2), ("v4.full", 1), ("v4.full", 3)])
def test_a_runner_that_knows_no_stored_problems_or_no_passes_refuses_them_by_their_version(
    message: str, version: int
) -> None:
    text = json.dumps(golden(f"judge_requested/{message}") | {"version": version})
    with pytest.raises(MessageInvalidError):
        parse_request(text)


def test_a_runner_that_knows_no_total_reads_the_message_all_the_same() -> None:
    """It ignores the field, and all cases have STANDARD_TOTAL_SECS together."""
    with_total = golden("judge_requested/v1.total")
    assert JudgeRequested.parse(json.dumps(with_total)).version == 1
    without = {name: value for name, value in with_total.items() if name != "total_secs"}
    assert JudgeRequested.parse(json.dumps(without)).total_secs is None


@pytest.mark.parametrize("passes", [0, 1, 101, "2", None])
def test_a_checker_has_several_passes_or_does_not_say_it(passes: object) -> None:
    document = golden("judge_requested/v4.full")
    document["judging"]["checkers"][2]["passes"] = passes
    if passes is None:
        assert JudgeRequested.parse(json.dumps(document)).passes == 3
    else:
        with pytest.raises(MessageInvalidError):
            JudgeRequested.parse(json.dumps(document))


def test_a_checker_that_is_no_program_has_no_passes() -> None:
    document = golden("judge_requested/v4.full")
    document["judging"]["checkers"][0]["passes"] = 2
    with pytest.raises(MessageInvalidError, match="passes"):
        JudgeRequested.parse(json.dumps(document))
