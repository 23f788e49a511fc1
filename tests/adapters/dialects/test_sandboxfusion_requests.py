"""What clients of SandboxFusion send: in the message for a runner, or refused in its own answer."""

import base64
import json
from typing import Any

import pytest

from functions.handlers import dialects
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, Invocation, call, event

RUN = "/sandboxfusion/run_code"
PROGRAM: dict[str, Any] = {"language": "python", "code": "print(1)"}
LARGE = "AAAA" * 100_000
"""300,000 bytes."""
AT_ONCE = Invocation(lambda: 0.0)
"""No runner answers here: the request ends before it waits."""


def run_code(
    body: Any, *, path: str = RUN, key: str | None = API_KEY, content_type: str = "application/json"
) -> Answer:
    headers = {"Content-Type": content_type} | ({} if key is None else {"X-API-Key": key})
    text = body if isinstance(body, str) else json.dumps(body)
    return call(event("POST", path, headers=headers, body=text), AT_ONCE)


def message_of(aws: Aws, body: Any) -> dict[str, Any]:
    answer = run_code(body)
    assert (answer.status, list(answer.json)) == (504, ["detail"]), answer.raw
    assert "retry-after" in answer.headers
    (message,) = aws.messages("InteractiveQueue")
    assert message["submission_id"] in answer.json["detail"]
    return message


def refusal(body: Any, **how: Any) -> str:
    """Return the sentence of a refusal, whose status is always 200."""
    answer = run_code(body, **how)
    assert answer.status == 200, answer.raw
    said = answer.json
    assert (said["status"], said["compile_result"], said["run_result"], said["files"]) == (
        "SandboxError",
        None,
        None,
        {},
    )
    message: str = said["message"]
    return message


@pytest.mark.usefixtures("project_key")
def test_a_request_is_an_ordinary_submission(aws: Aws) -> None:
    files = {"./data/a.bin": "AAEC", "left": None, "IGNORE_THIS_FILE": "AAEC"}
    more = {"stdin": "1", "run_timeout": 1.5, "memory_limit_MB": 100_000, "fetch_files": ["out/a.txt", "./b.txt"]}
    message = message_of(aws, PROGRAM | {"files": files, "compile_timeout": 3} | more)
    assert (message["language"], message["profile"]) == ("python", "judge")
    assert base64.b64decode(message["code_base64"]) == b"print(1)"
    assert base64.b64decode(message["stdin_base64"]) == b"1"
    assert message["limits"] == {"wall_time_secs": 1.5, "cpu_time_secs": 15, "memory_mb": 1024}
    assert [(file["path"], file["content_base64"]) for file in message["files"]] == [("data/a.bin", "AAEC")]
    assert message["artifacts"] == ["out/a.txt", "b.txt"]


@pytest.mark.usefixtures("project_key")
def test_files_that_are_too_large_for_a_message_become_files_of_the_project(aws: Aws) -> None:
    message = message_of(aws, PROGRAM | {"files": {"d/a": "%", "b": LARGE, "./d/a": "AAEC"}})
    assert [(file["path"], file["object"]["size"]) for file in message["files"]] == [("b", 300_000), ("d/a", 3)]


@pytest.mark.usefixtures("project_key")
def test_a_key_without_the_right_for_files_stores_none(aws: Aws) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    key = projects.issue_key(PROJECT_ID, rights=("run",))
    assert "lacks the right files" in refusal(PROGRAM | {"files": {"a": LARGE}}, key=key)
    assert aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])["KeyCount"] == 0


@pytest.mark.usefixtures("project_key")
def test_what_a_client_leaves_out_is_what_its_server_leaves_out(aws: Aws) -> None:
    message = message_of(aws, PROGRAM | {"language": "nodejs", "memory_limit_MB": -1, "stdin": None, "code": ""})
    assert message["language"] == "javascript"
    assert message["limits"] == {"wall_time_secs": 10, "cpu_time_secs": 15}


@pytest.mark.usefixtures("project_key")
def test_a_client_that_knows_only_an_address_has_the_key_in_its_path(aws: Aws) -> None:
    answer = run_code(PROGRAM, path=f"/sandboxfusion/{API_KEY}/run_code", key=None)
    assert answer.status == 504
    assert len(aws.messages("InteractiveQueue")) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"language": "pytest"}, "language: It is not offered here. Offered: python, cpp"),
        ({"language": "c"}, "language"),
        ({"language": "\ud800"}, "language"),
        ({"language": None}, "language"),
        ({"code": "#" * 65_537}, "code"),
        ({"code": 1}, "code"),
        ({"stdin": "x" * 262_145}, "stdin"),
        ({"stdin": 1}, "stdin"),
        ({"run_timeout": 26}, "run_timeout: Must be a number above 0 and up to 25"),
        ({"run_timeout": 0}, "run_timeout"),
        ({"run_timeout": 1e400}, "run_timeout"),
        ({"compile_timeout": -1}, "compile_timeout"),
        ({"memory_limit_MB": 1.5}, "memory_limit_MB"),
        ({"files": {"../a": "AA=="}}, "files[0].path"),
        ({"files": {"/etc/passwd": "AA=="}}, "files[0].path"),
        ({"files": {"a\0b": "AA=="}}, "files[0].path"),
        ({"files": {"solution.py": "AA=="}}, "files[0].path"),
        ({"files": {"a": "AA==", "a/b": "AA=="}}, "files: a is a file and the folder of a/b."),
        ({"files": {"a": "%"}}, "files[0].content_base64"),
        ({"files": {str(number): "AA==" for number in range(65)}}, "files"),
        ({"files": {str(number): LARGE[:10_000] for number in range(65)}}, "files"),
        ({"files": {"a": LARGE + "%"}}, "files: a content is not base64"),
        ({"files": {"../a": LARGE}}, "files[0].path"),
        ({"files": {str(number): None for number in range(19_000)}}, "files"),
        ({"files": ["a"]}, "files"),
        ({"fetch_files": [f"f{number}" for number in range(33)]}, "fetch_files"),
        ({"fetch_files": ["../a"]}, "fetch_files[0]: A path is relative"),
        ({"fetch_files": ["/etc/passwd"]}, "fetch_files"),
        ({"fetch_files": ["a?"]}, "fetch_files"),
        ({"language": "java", "code": "class Main {\n  void f() { assert 1 == 2; } }"}, "code: Java runs without -ea"),
        ({"language": "java", "code": "x();\r\n" + "\n \t" * 1_000_000 + ";" * 100_000}, "code"),
        ({"language": "java", "code": "x();\nassert(a);"}, "code: Java runs without -ea"),
    ],
    ids=lambda given: str(given)[:40],
)
@pytest.mark.usefixtures("project_key")
def test_a_wrong_request_is_an_answer_that_names_what_is_wrong(aws: Aws, changes: dict[str, Any], named: str) -> None:
    text = json.dumps(PROGRAM | changes).replace("Infinity", "1e400")
    assert refusal(text).startswith(named)
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("x" * 5_242_881, "application/json"),
        ("[" * 100_000, "application/json"),
        ("[]", "application/json"),
        ("{}", "application/json"),
        ("{}", "text/plain"),
    ],
)
@pytest.mark.usefixtures("project_key")
def test_other_bodies_are_refused_in_the_same_shape(body: str, content_type: str) -> None:
    assert refusal(body, content_type=content_type)


@pytest.mark.usefixtures("project_key")
def test_java_that_only_writes_about_assertions_runs(aws: Aws) -> None:
    code = 'class Main { // assert nothing\n /* assert\n * assert */ void assertEquals() { print("; to assert"); } }'
    assert message_of(aws, PROGRAM | {"language": "java", "code": code})["language"] == "java"


@pytest.mark.parametrize("base", ["/sandboxfusion", f"/sandboxfusion/{API_KEY}"])
@pytest.mark.usefixtures("project_key")
def test_what_is_not_offered_is_refused_by_its_name(base: str) -> None:
    jupyter = run_code({"cells": ["1"]}, path=f"{base}/run_jupyter")
    assert (jupyter.status, jupyter.json["status"], jupyter.json["cells"]) == (200, "SandboxError", [])
    assert jupyter.json["message"].startswith("run_jupyter is not offered")
    for name in ("submit", "get_prompts", "get_prompt_by_id", "list_datasets", "get_metrics"):
        answer = run_code({}, path=f"{base}/{name}")
        assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


@pytest.mark.usefixtures("project_key")
def test_a_service_that_is_full_answers_504_which_clients_repeat(aws: Aws) -> None:
    aws.monkeypatch.setenv("MAX_QUEUE_DEPTH", "-1")
    dialects.ENV.forget()
    answer = run_code(PROGRAM)
    assert (answer.status, answer.json["detail"].partition(".")[0]) == (504, "Too many submissions are waiting")
    assert aws.messages("InteractiveQueue") == []
    assert "retry-after" in answer.headers
