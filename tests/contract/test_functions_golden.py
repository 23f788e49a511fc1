"""The functions side of the contract in events/: golden messages survive it, and what it makes fits the schemas."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from functions.errors import MessageInvalidError
from functions.messages.judged import JudgeCompleted, JudgeProgress
from functions.messages.judging import JudgeRequested
from functions.messages.wire import (
    ExecutionCompleted,
    ExecutionRequested,
    ExecutionStarted,
    RunnerHeartbeat,
    parse_completions_message,
)
from functions.submissions.model import Completion, Submission
from functions.submissions.results.views import result_body
from functions.submissions.run.queues import execution_requested
from tests.submission_factory import EVENTS, SUBMISSION_ID, final_submission, golden, new_submission

type Message = type[
    ExecutionRequested
    | ExecutionStarted
    | ExecutionCompleted
    | RunnerHeartbeat
    | JudgeRequested
    | JudgeProgress
    | JudgeCompleted
]

MESSAGES: dict[str, Message] = {
    "execution_requested": ExecutionRequested,
    "execution_started": ExecutionStarted,
    "execution_completed": ExecutionCompleted,
    "runner_heartbeat": RunnerHeartbeat,
    "judge_requested": JudgeRequested,
    "judge_progress": JudgeProgress,
    "judge_completed": JudgeCompleted,
}
GOLDEN = [path for kind in MESSAGES for path in sorted((EVENTS / kind).glob("v*.json")) if "schema" not in path.name]
COMPLETIONS = [
    path for path in GOLDEN if path.parent.name != "execution_requested" and not path.parent.name.startswith("judge_")
]


def schema(kind: str, version: int = 1) -> Draft202012Validator:
    document = json.loads((EVENTS / kind / f"v{version}.schema.json").read_text())
    return Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER)


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_there_is_a_golden_file_of_every_kind() -> None:
    assert {path.parent.name for path in GOLDEN} == set(MESSAGES)


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_a_golden_message_survives_parsing_and_serialising(path: Path) -> None:
    message = MESSAGES[path.parent.name].parse(path.read_text())
    assert json.loads(message.serialise()) == json.loads(path.read_text())
    schema(path.parent.name, message.version).validate(json.loads(message.serialise()))


@pytest.mark.parametrize("path", COMPLETIONS, ids=name)
def test_a_message_of_the_completions_queue_is_parsed_by_its_type(path: Path) -> None:
    assert type(parse_completions_message(path.read_bytes())) is MESSAGES[path.parent.name]


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_a_message_without_one_of_its_fields_is_refused(path: Path) -> None:
    document = json.loads(path.read_text())
    fields = json.loads((EVENTS / path.parent.name / f"v{document['version']}.schema.json").read_text())["required"]
    for field in set(fields) - {"type", "version"}:
        with pytest.raises(MessageInvalidError):
            MESSAGES[path.parent.name].parse(json.dumps({key: document[key] for key in document if key != field}))


@pytest.mark.parametrize("kind", ["execution_started", "execution_completed"])
def test_a_message_without_a_correlation_id_is_valid(kind: str) -> None:
    path = next(path for path in GOLDEN if path.parent.name == kind and "correlation_id" in path.read_text())
    document = json.loads(path.read_text())
    del document["correlation_id"]  # as every runner of the revision before sends it
    message = MESSAGES[kind].parse(json.dumps(document))
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


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({"type": text}).encode()))
def test_noise_on_the_queue_is_refused_as_such(noise: bytes) -> None:
    with pytest.raises(MessageInvalidError):
        parse_completions_message(noise)


@pytest.mark.parametrize("limits", [{}, {"cpu_time_secs": 1.5, "wall_time_secs": 3, "memory_mb": 64, "output_kb": 1}])
def test_requests_to_a_runner_fit_the_schema(limits: dict[str, float]) -> None:
    row = new_submission(limits=limits)
    sent = json.loads(execution_requested(row, b"\0\xff", b"", row.created_at).serialise())
    schema("execution_requested").validate(sent)
    assert sent["limits"] == limits
    assert sent["code_base64"] == "AP8="


def _artifacts(message: ExecutionCompleted) -> dict[str, Any] | None:
    if message.artifacts is None:
        return None
    skipped = message.artifacts_skipped or ()
    return {
        "stored": [each.model_dump() for each in message.artifacts],
        "skipped": [each.model_dump() for each in skipped],
    }


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
    [
        ("v1.accepted", "v1.completed"),
        ("v1.artifacts", "v1.artifacts"),
        ("v1.platform_failure", "v1.platform_failure"),
    ],
)
def test_a_golden_completion_makes_the_golden_webhook(message: str, webhook: str) -> None:
    expected = golden(f"webhook/{webhook}")
    body = result_body(*_finished(EVENTS / "execution_completed" / f"{message}.json"))
    made = {"type": "submission.completed", "timestamp": body["completed_at"], **body}
    assert made == expected
