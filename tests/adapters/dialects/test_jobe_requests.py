"""What clients of Jobe send: in the message for a runner, or refused with its own error. Files have their ids."""

import base64
import json
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.files.store import FileStore
from functions.handlers import dialects
from functions.http.rights import Right
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, Invocation, call, event

BASE = "/jobe/index.php/restapi"
RUN: dict[str, Any] = {"language_id": "python3", "sourcecode": "print(1)", "sourcefilename": "__tester__.python3"}
AT_ONCE = Invocation(lambda: 0.0)
"""No runner answers here: the request ends before it waits."""
MISSING = "One or more of the specified files is missing/unavailable"
OTHER_KEY = "rb_live_of_another_project"


def ask(method: str, path: str, body: Any = None, *, key: str = API_KEY) -> Answer:
    headers = {"X-API-KEY": key, "Content-Type": "application/json; charset=utf-8"}
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return call(event(method, BASE + path, headers=headers, body=text), AT_ONCE)


def run(spec: Any, *, key: str = API_KEY) -> Answer:
    return ask("POST", "/runs", {"run_spec": spec}, key=key)


def put(file_id: str, content: bytes, *, key: str = API_KEY) -> int:
    return ask("PUT", f"/files/{file_id}", {"file_contents": base64.b64encode(content).decode()}, key=key).status


def message_of(aws: Aws, spec: Any) -> dict[str, Any]:
    """Return the message of a run, which is not finished in time here: Jobe calls that an overload."""
    answer = run(spec)
    (message,) = aws.messages("InteractiveQueue")
    assert (answer.status, answer.json["outcome"], answer.json["run_id"]) == (200, 21, message["submission_id"])
    return message


@pytest.fixture
def other(aws: Aws, project_key: str) -> str:
    del project_key
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(Project("other", "another"))
    return projects.issue_key("other", api_key=OTHER_KEY)


@pytest.mark.usefixtures("project_key")
def test_a_run_is_an_ordinary_submission(aws: Aws) -> None:
    parameters = {"cputime": 3, "memorylimit": "200", "numprocs": 4, "streamsize": 0.5, "disklimit": 7}
    message = message_of(
        aws, RUN | {"input": "1\n", "parameters": parameters | {"runargs": ["a", "'b c'"], "debug": 1}}
    )
    assert (message["language"], message["profile"], message["args"]) == ("python", "judge", ["a", "b c"])
    assert base64.b64decode(message["code_base64"]) == b"print(1)"
    assert base64.b64decode(message["stdin_base64"]) == b"1\n"
    assert message["limits"] == {
        "cpu_time_secs": 3,
        "wall_time_secs": 6,
        "memory_mb": 200,
        "max_processes": 4,
        "output_kb": 512,
        "file_size_mb": 7,
    }


@pytest.mark.parametrize(
    "parameters", [None, [], {}, {"cputime": "x", "memorylimit": 0, "disklimit": -1, "numprocs": []}]
)
@pytest.mark.usefixtures("project_key")
def test_what_a_client_leaves_out_is_what_its_server_leaves_out(aws: Aws, parameters: Any) -> None:
    message = message_of(aws, RUN | {"parameters": parameters, "input": None, "file_list": None, "sourcecode": ""})
    assert message["limits"] == {"cpu_time_secs": 5, "wall_time_secs": 10}


@pytest.mark.usefixtures("project_key")
def test_more_than_a_ceiling_is_the_ceiling_however_large(aws: Aws) -> None:
    names = ("memorylimit", "numprocs", "streamsize", "disklimit")
    sent = [message_of(aws, RUN | {"parameters": dict.fromkeys(names, size)}) for size in (1e6, 10**400, "1e999")]
    assert sent[0]["limits"] == sent[1]["limits"] == sent[2]["limits"]
    assert len(sent[0]["limits"]) == 6


@pytest.mark.parametrize(
    ("language", "parameters", "options"),
    [
        ("c", {}, ["-O0", "-Wall", "-Werror", "-std=c99"]),
        ("C", {"compileargs": ["-x c", "-O2 -Wextra"], "linkargs": ["-lm"]}, ["-O0", "-O2", "-Wextra", "-lm"]),
        ("cpp", {}, ["-O0", "-Wall", "-Werror"]),
        ("java", {"compileargs": ["-Xlint"], "memorylimit": 8}, ["-Xlint"]),
        ("nodejs", {"compileargs": ["-anything"]}, []),
    ],
)
@pytest.mark.usefixtures("project_key")
def test_options_of_compilers_are_those_of_its_server(
    aws: Aws, language: str, parameters: dict[str, Any], options: list[str]
) -> None:
    message = message_of(aws, RUN | {"language_id": language, "parameters": parameters})
    assert message.get("compile_args", []) == options
    assert "memory_mb" not in message["limits"]


@pytest.mark.usefixtures("project_key")
def test_an_option_that_is_not_offered_is_a_compilation_error(aws: Aws) -> None:
    for option in ("std=c89", "-o/etc/passwd", "-Wl,-z", "@file", "-include /etc/passwd"):
        answer = run(RUN | {"language_id": "c", "parameters": {"compileargs": [option]}})
        assert (answer.status, answer.json["outcome"]) == (200, 11)
        assert "not offered" in answer.json["cmpinfo"]
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("{}", 400, "No run_spec attribute found in post data"),
        ("[]", 400, "No run_spec attribute found in post data"),
        ('{"run_spec": []}', 400, "No run_spec attribute found in post data"),
        ("{", 400, "The body is not valid JSON"),
        ("[" * 100_000, 400, "The JSON body"),
        ("x" * 5_242_881, 413, "The body is larger"),
        ({"sourcecode": None}, 400, "run_spec is missing the required attribute 'sourcecode'"),
        ({"language_id": 1}, 400, "run_spec is missing the required attribute 'language_id'"),
        ({"language_id": "python"}, 400, "Language 'python' is not known"),
        ({"language_id": "\ud800"}, 400, ""),
        ({"sourcecode": "#" * 65_537}, 400, "code is too large"),
        ({"input": 1}, 400, "input must be a string"),
        ({"input": "x" * 262_145}, 400, "stdin is too large"),
        ({"parameters": "x"}, 400, "input must be a string"),
        ({"parameters": {"cputime": 16}}, 400, "cputime exceeds maximum allowed on this Jobe server (15 secs)"),
        ({"parameters": {"cputime": "151"}}, 400, "cputime exceeds maximum"),
        ({"parameters": {"cputime": 10**400}}, 400, "cputime exceeds maximum"),
        ({"parameters": {"cputime": "9" * 5_000}}, 400, "cputime exceeds maximum"),
        ('{"run_spec": {"parameters": {"cputime": ' + "9" * 5_000 + "}}}", 400, "The JSON body has a number with too"),
        ({"parameters": {"runargs": "x"}}, 400, "runargs must be an array of strings"),
        ({"parameters": {"runargs": ["'"]}}, 400, "runargs has a quotation"),
        ({"parameters": {"runargs": ["x"] * 65}}, 400, "args: "),
        ({"parameters": {"runargs": ["'x' " * 1_000_000]}}, 400, "runargs has more than 8,192 characters"),
        ({"language_id": "c", "parameters": {"linkargs": ["x" * 8_193]}}, 400, "linkargs has more than"),
        ({"parameters": {"interpreterargs": ["-c 1"]}}, 400, "interpreterargs and main_class are not"),
        ({"parameters": {"main_class": "Main"}}, 400, "interpreterargs and main_class are not"),
        ({"file_list": {"a": 1}}, 400, "input must be a string"),
        ({"file_list": ["x"]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 7, "x"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["../" * 9, "x"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 31 + "#", "x"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 129, "x"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["\uff41" * 32, "x"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32, "../x"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32, ".."]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32, "a/b"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32, "a\0"]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32, 1]]}, 400, "Invalid file specifier"),
        ({"file_list": [["a" * 32, f"f{number}"] for number in range(65)]}, 400, "file_list has at most 64 files"),
        ({"file_list": [["a" * 32, "f"]] * 9_000}, 400, "file_list has at most 64 files"),
        ({"file_list": [["a" * 32, "file1"]]}, 404, MISSING),
    ],
    ids=lambda given: str(given)[:40],
)
@pytest.mark.usefixtures("project_key")
def test_a_wrong_run_is_refused_with_a_text(aws: Aws, body: Any, status: int, said: str) -> None:
    answer = ask("POST", "/runs", body if isinstance(body, str) else {"run_spec": RUN | body})
    assert answer.status == status, answer.raw
    assert isinstance(answer.json, str)
    assert answer.json.startswith(said)
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.usefixtures("project_key")
def test_a_file_is_sent_once_and_named_by_the_id_of_the_client(aws: Aws) -> None:
    first, second = "0123456789abcdef0123456789abcdef", "randomid0129798"
    spec = RUN | {"file_list": [[first, "a.txt"], [second, "b.txt", False], [first, "c.txt"]]}
    assert (run(spec).status, run(spec).json) == (404, MISSING)
    assert ask("HEAD", f"/files/{first}").status == 404
    for _ in range(2):
        assert [put(first, b"one"), put(second, b"")] == [204, 204]
    assert [ask("HEAD", f"/files/{file_id}").status for file_id in (first, second, "unknown12")] == [204, 204, 404]
    message = message_of(aws, spec)
    assert [(file["path"], file["object"]["size"]) for file in message["files"]] == [
        ("a.txt", 3),
        ("b.txt", 0),
        ("c.txt", 3),
    ]
    assert message["files"][0]["object"] == message["files"][2]["object"]


@pytest.mark.usefixtures("project_key")
def test_an_id_leads_to_what_was_sent_last_under_it(aws: Aws) -> None:
    for content in (b"old", b"newer"):
        assert put("changing1", content) == 204
    message = message_of(aws, RUN | {"file_list": [["changing1", "a"]]})
    assert message["files"][0]["object"]["size"] == 5


@pytest.mark.usefixtures("project_key")
def test_a_file_that_is_gone_is_an_unknown_one(aws: Aws) -> None:
    assert put("deleted12", b"x") == 204
    store = FileStore(aws.names["SubmissionsTable"], Clients.dynamodb())
    (file,) = store.page(PROJECT_ID, 10, None).rows
    assert store.retire(file, 0)
    assert ask("HEAD", "/files/deleted12").status == 404
    assert (run(RUN | {"file_list": [["deleted12", "a"]]}).status, aws.messages("InteractiveQueue")) == (404, [])
    assert put("deleted12", b"x") == 204
    assert ask("HEAD", "/files/deleted12").status == 204


def test_the_ids_of_two_projects_are_apart(aws: Aws, other: str) -> None:
    assert put("shared123", b"mine") == 204
    assert ask("HEAD", "/files/shared123", key=other).status == 404
    spec = RUN | {"file_list": [["shared123", "a"]]}
    assert (run(spec, key=other).status, run(spec, key=other).json) == (404, MISSING)
    assert aws.messages("InteractiveQueue") == []
    assert put("shared123", b"another", key=other) == 204
    assert message_of(aws, spec)["files"][0]["object"]["size"] == 4


@pytest.mark.parametrize(
    "file_id", ["short", "a" * 129, "..%2f..%2fetc", "a.b.c.d.e", "..", "a b c d e", "\uff41" * 9, "a#b#c#d#e"]
)
@pytest.mark.usefixtures("project_key")
def test_an_id_that_is_more_than_letters_and_digits_is_refused(file_id: str) -> None:
    assert put(file_id, b"x") in {400, 404}
    assert ask("HEAD", f"/files/{file_id}").status == 404


@pytest.mark.parametrize("body", [{}, [], {"file_contents": 1}, {"file_contents": "%"}, {"file_contents": "AA"}, "{"])
@pytest.mark.usefixtures("project_key")
def test_a_body_without_base64_is_no_file(aws: Aws, body: Any) -> None:
    answer = ask("PUT", "/files/abcdefgh1", body)
    assert (answer.status, isinstance(answer.json, str)) == (400, True)
    store = FileStore(aws.names["SubmissionsTable"], Clients.dynamodb())
    assert store.usage(PROJECT_ID) == (0, 0)


@pytest.mark.usefixtures("project_key")
def test_a_file_counts_in_the_quota_of_its_project(aws: Aws) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(Project("small", "small", files_mb=1))
    key = projects.issue_key("small")
    assert put("large0001", bytes(700_000), key=key) == 204
    answer = ask("PUT", "/files/large0002", {"file_contents": base64.b64encode(bytes(700_001)).decode()}, key=key)
    assert (answer.status, isinstance(answer.json, str)) == (429, True)
    assert ask("HEAD", "/files/large0002", key=key).status == 404


@pytest.mark.usefixtures("project_key")
def test_files_up_to_three_megabytes_are_taken() -> None:
    assert put("large0001", bytes(3_900_000)) == 204
    assert put("large0002", bytes(4_000_000)) == 413


@pytest.mark.parametrize(
    ("right", "statuses"), [("run", (403, 403, 404)), ("files", (204, 204, 403)), ("read", (403, 404, 403))]
)
def test_each_step_needs_its_right(aws: Aws, project_key: str, right: Right, statuses: tuple[int, ...]) -> None:
    del project_key
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    key = projects.issue_key(PROJECT_ID, rights=(right,))
    found = (
        put("abcdefgh1", b"x", key=key),
        ask("HEAD", "/files/abcdefgh1", key=key).status,
        run(RUN | {"file_list": [["abcdefgh2", "a"]]}, key=key).status,
    )
    assert found == statuses


@pytest.mark.usefixtures("project_key")
def test_a_service_that_is_full_says_overload(aws: Aws) -> None:
    aws.monkeypatch.setenv("MAX_QUEUE_DEPTH", "-1")
    dialects.ENV.forget()
    answer = run(RUN)
    assert (answer.status, answer.json["outcome"], answer.json["run_id"]) == (200, 21, None)
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.usefixtures("project_key")
def test_the_languages_have_the_names_of_its_server() -> None:
    names = [name for name, _ in ask("GET", "/languages/").json]
    assert names[:5] == ["python3", "c", "cpp", "java", "nodejs"]
