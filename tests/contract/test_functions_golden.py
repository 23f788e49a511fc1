"""Golden messages survive parsing and serialising, and what the functions make of them fits the schemas."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from events import MessageInvalidError
from events.completed import ExecutionCompleted
from events.message import as_fields
from events.runner import parse_completions_message
from functions.submissions.model import Completion, Submission
from functions.submissions.queues import execution_requested
from functions.submissions.results.views import result_body
from tests.choice import examples
from tests.contract import schema_files
from tests.contract.message_schemas import KINDS
from tests.submission_factory import EVENTS, SUBMISSION_ID, final_submission, golden, new_submission

GOLDEN = [path for kind in KINDS for path in sorted((EVENTS / kind).glob("v*.json")) if "schema" not in path.name]
COMPLETIONS = [
    path for path in GOLDEN if path.parent.name != "execution_requested" and not path.parent.name.startswith("judge_")
]


def schema(kind: str, version: int = 1) -> Draft202012Validator:
    return schema_files.validator(schema_files.schema(f"{kind}/v{version}"))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_there_is_a_golden_file_of_every_kind() -> None:
    assert {path.parent.name for path in GOLDEN} == set(KINDS)


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_a_golden_message_survives_parsing_and_serialising(path: Path) -> None:
    message = KINDS[path.parent.name].parse(path.read_text())
    assert json.loads(message.serialise()) == json.loads(path.read_text())
    schema(path.parent.name, message.version).validate(json.loads(message.serialise()))


@pytest.mark.parametrize("path", COMPLETIONS, ids=name)
def test_a_message_of_the_completions_queue_is_parsed_by_its_type(path: Path) -> None:
    assert type(parse_completions_message(path.read_bytes())) is KINDS[path.parent.name]


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_a_message_without_one_of_its_fields_is_refused(path: Path) -> None:
    document = json.loads(path.read_text())
    fields = json.loads((EVENTS / path.parent.name / f"v{document['version']}.schema.json").read_text())["required"]
    for field in set(fields) - {"type", "version"}:
        with pytest.raises(MessageInvalidError):
            KINDS[path.parent.name].parse(json.dumps({key: document[key] for key in document if key != field}))


@pytest.mark.parametrize("path", GOLDEN, ids=name)
@pytest.mark.parametrize("value", [True, -1, 1.5, "", "x" * 200, [], {}, [None], {"a": None}])
def test_values_outside_the_schema_are_refused(path: Path, value: object) -> None:
    document = json.loads(path.read_text())
    # A schema says what is written, so without unknown keys; a reader ignores those.
    strict = (EVENTS / path.parent.name / f"v{document['version']}.schema.json").read_text()
    validator = schema_files.validator(
        json.loads(strict.replace('"additionalProperties": false', '"additionalProperties": true'))
    )
    for key in document:
        changed = {**document, key: value}
        if not validator.is_valid(changed):
            with pytest.raises(MessageInvalidError):
                KINDS[path.parent.name].parse(json.dumps(changed))


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_a_null_is_refused_or_the_same_as_an_absent_field(path: Path) -> None:
    document, kind = json.loads(path.read_text()), KINDS[path.parent.name]
    for key in document:
        with suppress(MessageInvalidError):
            absent = {name: value for name, value in document.items() if name != key}
            with_null = kind.parse(json.dumps(document | {key: None}))
            assert document[key] is None or with_null == kind.parse(json.dumps(absent))


@pytest.mark.parametrize("kind", ["execution_started", "execution_completed"])
def test_a_message_without_a_correlation_id_is_valid(kind: str) -> None:
    path = next(path for path in GOLDEN if path.parent.name == kind and "correlation_id" in path.read_text())
    document = json.loads(path.read_text())
    del document["correlation_id"]  # as every runner of the revision before sends it
    message = KINDS[kind].parse(json.dumps(document))
    assert json.loads(message.serialise()) == document
    schema(kind).validate(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"submission_id": SUBMISSION_ID.upper()},
        {"submission_id": "../../etc/passwd"},
        {"started_at": "2026-11-24T12:00:00.012"},
        {"started_at": "2026-99-24T12:00:00.012Z"},
        {"language": "cobol"},
        {"stdout": {"size_bytes": 3}},
        {"stdout": {"size_bytes": 3, "base64": "NDIK", "object_key": "outputs/x"}},
        {"stdout": {"size_bytes": -1, "base64": ""}},
        {"stdout": {"size_bytes": 3, "base64": "%%%"}},
        {"stdout": {"size_bytes": True, "base64": ""}},
        {"integrity": "fine"},
        {"metrics": {}},
        {"evidence": {}},
    ],
    ids=str,
)
def test_a_completion_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageInvalidError):
        parse_completions_message(json.dumps(golden("execution_completed/v1.accepted") | changes))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.5, "0.5", True, None])
def test_a_measure_that_is_no_measure_is_refused(number: Any) -> None:
    document = golden("execution_completed/v1.accepted")
    document["metrics"]["cpu_time_secs"] = number
    with pytest.raises(MessageInvalidError):
        parse_completions_message(json.dumps(document))


@pytest.mark.parametrize(
    "key",
    [
        "outputs/00000000-0000-4000-8000-000000000000/0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02/stdout",
        "outputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11/0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02/stderr",
        "inputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11",
        "",
    ],
)
def test_a_runner_cannot_name_an_object_of_another_run(key: str) -> None:
    document = golden("execution_completed/v1.large_output")
    document["stdout"]["object_key"] = key
    with pytest.raises(MessageInvalidError):
        parse_completions_message(json.dumps(document))


def test_a_newer_runner_may_send_more_than_we_know() -> None:
    document = golden("execution_completed/v1.accepted")
    document["metrics"]["energy_joules"] = 1
    assert isinstance(parse_completions_message(json.dumps(document | {"cluster": "x"})), ExecutionCompleted)


def test_a_refusal_shows_nothing_of_the_message() -> None:
    document = golden("execution_completed/v1.accepted") | {"stdout": "the program's output"}
    with pytest.raises(MessageInvalidError) as caught:
        parse_completions_message(json.dumps(document))
    assert "stdout" in str(caught.value)
    assert "the program's output" not in str(caught.value)
    assert caught.value.__cause__ is None


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({"type": text}).encode()))
def test_noise_on_the_queue_is_refused_as_such(noise: bytes) -> None:
    with pytest.raises(MessageInvalidError):
        parse_completions_message(noise)


@pytest.mark.parametrize("limits", [{}, {"cpu_time_secs": 1.5, "wall_time_secs": 3, "memory_mb": 64, "output_kb": 1}])
def test_requests_to_a_runner_fit_the_schema(limits: dict[str, float]) -> None:
    row = new_submission(limits=limits, code=b"\0\xff")
    sent = json.loads(execution_requested(row, row.created_at).serialise())
    schema("execution_requested").validate(sent)
    assert sent["limits"] == limits
    assert sent["code_base64"] == "AP8="


def _artifacts(message: ExecutionCompleted) -> dict[str, Any] | None:
    if message.artifacts is None:
        return None
    skipped = message.artifacts_skipped or ()
    return {"stored": [as_fields(each) for each in message.artifacts], "skipped": [as_fields(each) for each in skipped]}


def _finished(path: Path) -> tuple[Submission, bytes, bytes]:
    message = ExecutionCompleted.parse(path.read_text())
    document = json.loads(message.serialise())
    done = Completion(
        completed_at=message.completed_at,
        result=document["result"],
        metrics=document["metrics"],
        evidence=document["evidence"],
        integrity=message.integrity.value,
        artifacts=_artifacts(message),
    )
    row = final_submission(
        status=done.status,
        verdict=done.verdict,
        language=message.language.value,
        summary={"result": done.result, "metrics": done.metrics},
        evidence=done.evidence,
        integrity=done.integrity,
        artifacts=done.artifacts,
        metadata={"build": "1042"},
    )
    return row, message.stdout.content or b"", message.stderr.content or b""


@pytest.mark.parametrize("path", sorted((EVENTS / "execution_completed").glob("v1.[!s]*.json")), ids=name)
def test_every_completion_makes_a_body_that_fits_the_webhook_schema(path: Path) -> None:
    body = result_body(*_finished(path))
    schema("webhook").validate({"type": "submission.completed", "timestamp": body["completed_at"], **body})


@pytest.mark.parametrize(
    ("message", "webhook"),
    [("v1.accepted", "v1.completed"), ("v1.artifacts", "v1.artifacts"), ("v1.platform_failure", "v1.platform_failure")],
)
def test_a_golden_completion_makes_the_golden_webhook(message: str, webhook: str) -> None:
    expected = golden(f"webhook/{webhook}")
    body = result_body(*_finished(EVENTS / "execution_completed" / f"{message}.json"))
    made = {"type": "submission.completed", "timestamp": body["completed_at"], **body}
    assert made == expected
