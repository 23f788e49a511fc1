"""What clients of Piston send: in the message for a runner, or refused with its own error."""

import base64
import json
from typing import Any

import pytest

from tests.adapters.aws_account import API_KEY, Aws
from tests.adapters.http_calls import Answer, Invocation, call, event

EXECUTE = "/piston/api/v2/execute"
FILE = {"name": "a.py", "content": "print(1)"}
PROGRAM: dict[str, Any] = {"language": "python", "version": "*", "files": [FILE]}
AT_ONCE = Invocation(lambda: 0.0)
"""No runner answers here: the request ends before it waits."""


def execute(body: Any, *, content_type: str = "application/json") -> Answer:
    headers = {"X-API-Key": API_KEY, "Content-Type": content_type}
    text = body if isinstance(body, str) else json.dumps(body)
    return call(event("POST", EXECUTE, headers=headers, body=text), AT_ONCE)


def message_of(aws: Aws, body: Any) -> dict[str, Any]:
    answer = execute(body)
    assert (answer.status, list(answer.json)) == (503, ["message"]), answer.raw
    (message,) = aws.messages("InteractiveQueue")
    assert message["submission_id"] in answer.json["message"]
    return message


@pytest.mark.usefixtures("project_key")
def test_a_request_is_an_ordinary_submission(aws: Aws) -> None:
    files = [
        {"name": "d.bin", "content": "AAEC", "encoding": "base64"},
        FILE | {"encoding": "utf8"},
        {"content": "00ff", "encoding": "hex"},
    ]
    more = {"stdin": "1", "args": ["x"], "run_timeout": 1500, "run_cpu_time": 500, "run_memory_limit": 33_000_000}
    message = message_of(aws, PROGRAM | {"language": "py", "files": files} | more)
    assert (message["language"], message["profile"], message["args"]) == ("python", "judge", ["x"])
    assert base64.b64decode(message["code_base64"]) == b"print(1)"
    assert base64.b64decode(message["stdin_base64"]) == b"1\n"
    assert message["limits"] == {"wall_time_secs": 1.5, "cpu_time_secs": 0.5, "memory_mb": 32}
    assert {file["path"]: file["content_base64"] for file in message["files"]} == {
        "d.bin": "AAEC",
        "file2.code": "AP8=",
    }


@pytest.mark.usefixtures("project_key")
def test_a_language_has_the_names_of_its_packages(aws: Aws) -> None:
    listed = call(event("GET", "/piston/api/v2/runtimes", headers={"X-API-Key": API_KEY})).json
    aliases = {one["language"]: one["aliases"] for one in listed}
    expected = {"python": ["py", "py3", "python3"], "c": ["gcc"], "c++": ["cpp", "g++"], "go": ["golang"]}
    expected |= {"javascript": ["node-javascript", "node-js", "js"], "typescript": ["ts", "node-ts", "tsc"]}
    for language, names in expected.items():
        assert {*names} <= {*aliases[language]}
        for name in names:
            message = message_of(aws, PROGRAM | {"language": name})
            assert message["language"] == ("cpp" if language == "c++" else language)


@pytest.mark.usefixtures("project_key")
def test_no_limit_means_three_seconds_and_the_memory_of_the_language(aws: Aws) -> None:
    message = message_of(aws, PROGRAM | {"run_memory_limit": -1, "compile_timeout": 10_000, "compile_memory_limit": -1})
    assert message["limits"] == {"wall_time_secs": 3, "cpu_time_secs": 3}


@pytest.mark.parametrize(
    "name", ["../a.py", "/etc/passwd", "a/../../b", "a\0b", "a//b", ".", "x" * 300, "a\nb", 7, ["a"]]
)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.usefixtures("project_key")
def test_a_name_that_leaves_the_working_directory_is_refused(aws: Aws, name: object, place: int) -> None:
    files = [FILE, {"name": "b.py", "content": ""}]
    files[place] = {"name": name, "content": "1"}  # type: ignore[dict-item]  # that is the test
    answer = execute(PROGRAM | {"files": files})
    assert (answer.status, list(answer.json)) == (400, ["message"])
    assert answer.json["message"].startswith(f"files[{place}].name")
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"files": [FILE, {"name": "b", "content": "%", "encoding": "base64"}]},
        {"files": [FILE, {"name": "b", "content": "0g", "encoding": "hex"}]},
        {"files": [FILE, "b"]},
        {"files": [FILE, *({"name": f"f{number}", "content": ""} for number in range(65))]},
        {"files": [FILE | {"content": "#" * 65_537}]},
        {"files": [FILE | {"content": "\ud800"}]},
        {"files": [FILE, {"name": "b", "content": "1"}, {"name": "b/c", "content": "1"}]},
        {"stdin": "x" * 262_145},
        {"stdin": 1},
        {"args": "x"},
        {"args": [1]},
        {"args": ["x"] * 65},
        {"args": ["a\0b"]},
        {"run_timeout": True},
        {"run_timeout": 1e400},
        {"run_cpu_time": 15_001},
        {"compile_timeout": 30_001},
        {"version": "1" * 1000},
        {"language": "x" * 1000},
        {"language": "\ud800"},
        {"files": [FILE, {"name": "b", "content": "x", "encoding": ["hex"]}, "x"]},
        {"run_memory_limit": "x"},
    ],
    ids=lambda changes: str(changes)[:40],
)
@pytest.mark.usefixtures("project_key")
def test_a_wrong_request_is_refused_with_a_message(aws: Aws, changes: dict[str, Any]) -> None:
    answer = execute(json.dumps(PROGRAM | changes).replace("Infinity", "1e400"))
    assert (answer.status, list(answer.json)) == (400, ["message"]), answer.raw
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("x" * 1_048_577, "application/json", 413),
        ("[" * 100_000, "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ("{}", "text/plain", 415),
        ("{}", "", 415),
    ],
)
@pytest.mark.usefixtures("project_key")
def test_other_bodies_are_refused(body: str, content_type: str, status: int) -> None:
    answer = execute(body, content_type=content_type)
    assert (answer.status, list(answer.json)) == (status, ["message"])


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.usefixtures("project_key")
def test_packages_are_listed_and_not_changed(method: str) -> None:
    path, headers = "/piston/api/v2/packages", {"X-API-Key": API_KEY, "Content-Type": "application/json"}
    listed = call(event("GET", path, headers=headers)).json
    assert {"language": "c++", "language_version": "0.0.0", "installed": True} in listed
    answer = call(event(method, path, headers=headers, body='{"language": "lua", "version": "*"}'))
    assert (answer.status, list(answer.json)) == (403, ["message"])


@pytest.mark.usefixtures("project_key")
def test_a_body_is_read_for_a_key_alone() -> None:
    answer = call(event("POST", EXECUTE, headers={"Content-Type": "application/json"}, body="{"), AT_ONCE)
    assert answer.status == 401
