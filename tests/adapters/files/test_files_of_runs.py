"""Files in submissions, judge runs and checks: checked, held, and in the message for a runner."""

import base64
import json
from typing import Any

import pytest

from events.vocabulary import Language
from functions.checks.settings.store import CheckStore
from functions.clock import now_ms
from functions.files.store import FileStore
from functions.handlers import checks, result, submit, sweep
from functions.judging.requests import parse_judge_request
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore
from functions.submissions.accept.requests import ProgramRules, parse_submission
from functions.submissions.store import SubmissionStore
from functions.submissions.sweeper import Sweep
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.files.file_factory import some, stored
from tests.adapters.http_calls import Answer, send
from tests.adapters.pipeline import Context

KB = 1024
PROGRAM: dict[str, Any] = {"language": "python", "code": "print(1)"}


def post(files: list[dict[str, Any]], **more: Any) -> Answer:
    return send(API_KEY, "POST", "/api/submit", PROGRAM | {"files": files} | more)


def problems(answer: Answer) -> list[str]:
    assert answer.status == 422, answer.raw
    return [problem["field"] for problem in answer.json["fields"]]


def message_of(aws: Aws) -> dict[str, Any]:
    (message,) = aws.messages("BatchQueue")
    return message


def test_files_are_in_the_message_as_a_runner_reads_them(aws: Aws, project_key: str) -> None:
    del project_key
    content = stored(aws, PROJECT_ID, some(3 * KB))
    files: list[dict[str, Any]] = [
        {"path": "z.txt", "content": "ü\n"},
        {"path": "data/a.bin", "content_base64": base64.b64encode(b"\0\xff").decode(), "read_only": True},
        {"path": "data/b.csv", "sha256": f"sha256:{content.sha256}", "read_only": True},
    ]
    assert post(files).status == 202
    message = message_of(aws)
    file = result.ENV[FileStore].get(PROJECT_ID, content.sha256)
    assert file is not None
    assert message["version"] == 3
    assert message["files"] == [
        {"path": "data/a.bin", "read_only": True, "content_base64": base64.b64encode(b"\0\xff").decode()},
        {
            "path": "data/b.csv",
            "read_only": True,
            "object": {"key": file.object_key, "size": 3 * KB, "sha256": content.sha256},
        },
        {"path": "z.txt", "read_only": False, "content_base64": base64.b64encode("ü\n".encode()).decode()},
    ]
    assert file.used_at_ms is not None


def test_arguments_are_in_the_message_and_belong_to_the_meaning_of_a_request(aws: Aws, project_key: str) -> None:
    del project_key
    body = PROGRAM | {"args": ["--size", "", "é"]}
    assert send(API_KEY, "POST", "/api/submit", body).status == 202
    message = message_of(aws)
    assert (message["version"], message["args"]) == (3, ["--size", "", "é"])
    assert parse_submission(json.dumps(body).encode(), offered=Language).body_sha256 != (
        parse_submission(json.dumps(PROGRAM).encode(), offered=Language).body_sha256
    )


@pytest.mark.parametrize("args", ["-x", [1], ["a"] * 65, ["a" * 1025], ["a\0b"], ["\ud800"]])
@pytest.mark.usefixtures("project_key")
def test_other_arguments_are_refused(args: object) -> None:
    answer = send(API_KEY, "POST", "/api/submit", PROGRAM | {"args": args})
    assert {problem.partition("[")[0] for problem in problems(answer)} == {"args"}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../x",
            "/etc/passwd",
            "a/../b",
            "a//b",
            ".",
            "a/.",
            "a/",
            "",
            "a\nb",
            "a\0b",
            "\x7f",
            "a/" * 8 + "b",
            "x" * 256,
            "cod\u202etxt.exe",
            "a\u2066b",
            "a\u2028b",
        ),
        "solution.py",
        "\ud800",
    ],
)
def test_no_path_leaves_the_working_directory_or_has_a_name_of_the_service(
    aws: Aws, project_key: str, path: str
) -> None:
    del project_key
    assert problems(post([{"path": path, "content": "x"}])) == ["files[0].path"]
    assert aws.messages("BatchQueue") == []


@pytest.mark.parametrize("path", ["Screenshot at 9.41\u202fAM.png", "\u05d0\u200f.txt", "\U0001f469\u200d\U0001f4bb"])
def test_a_path_may_have_spaces_and_marks_that_reverse_no_text(aws: Aws, project_key: str, path: str) -> None:
    del project_key
    assert post([{"path": path, "content": "x"}]).status == 202
    assert len(aws.messages("BatchQueue")) == 1


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b")])
def test_two_files_do_not_exclude_each_other(aws: Aws, project_key: str, paths: tuple[str, str]) -> None:
    del aws, project_key
    assert problems(post([{"path": path, "content": "x"} for path in paths])) == ["files"]


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({}, "files[0].content"),
        ({"content": "x", "sha256": "0" * 64}, "files[0].content"),
        ({"content": "x", "content_base64": "eA=="}, "files[0].content"),
        ({"content_base64": "!"}, "files[0].content_base64"),
        ({"sha256": "0" * 63}, "files[0].sha256"),
        ({"content": "x", "mode": 511}, "files[0].mode"),
    ],
)
def test_a_file_has_one_content(aws: Aws, project_key: str, entry: dict[str, Any], field: str) -> None:
    del aws, project_key
    assert problems(post([{"path": "a", **entry}])) == [field]


def test_the_contents_of_a_request_are_bounded(aws: Aws, project_key: str) -> None:
    del project_key
    half = "x" * (128 * KB)
    assert post([{"path": "a", "content": half}, {"path": "b", "content": half}]).status == 202
    assert len(message_of(aws)["files"]) == 2
    assert problems(post([{"path": "a", "content": half}, {"path": "b", "content": half + "x"}])) == ["files"]
    assert problems(post([{"path": str(number), "content": ""} for number in range(65)])) == ["files"]


def test_writable_files_are_bounded_by_their_stored_sizes(aws: Aws, project_key: str) -> None:
    del project_key
    content = stored(aws, PROJECT_ID, some(33 * KB * KB))
    twice = [{"path": name, "sha256": content.sha256} for name in ("a", "b")]
    assert problems(post(twice)) == ["files"]
    assert post([file | {"read_only": True} for file in twice]).status == 202


def test_unknown_files_are_named_and_nothing_is_charged(aws: Aws, project_key: str) -> None:
    del project_key
    known, missing = stored(aws, PROJECT_ID, some()), ["1" * 64, "2" * 64]
    files = [{"path": str(number), "sha256": sha256} for number, sha256 in enumerate([*missing, known.sha256])]
    answer = post(files)
    assert (answer.status, answer.json["error"], answer.json["missing"]) == (409, "files_missing", missing)
    assert aws.messages("BatchQueue") == []
    assert result.ENV[QuotaStore].usage(PROJECT_ID, "judge", submit_quota()).in_flight == 0


def submit_quota() -> Any:
    found = submit.ENV[ProjectStore].find_key(API_KEY)
    return found.project.quota("judge")  # type: ignore[union-attr]


def test_files_and_options_are_part_of_the_body_of_a_key(aws: Aws, project_key: str) -> None:
    del project_key

    def once(**more: Any) -> int:
        from tests.adapters.http_calls import post as post_keyed  # noqa: PLC0415 - beside its only use

        body = {"language": "c", "code": "int main(void){}"} | more
        return post_keyed(API_KEY, body, idempotency_key="k").status

    first: dict[str, Any] = {
        "files": [{"path": "a", "content": "x"}, {"path": "b", "content": "y"}],
        "compile_args": ["-O2"],
    }
    assert once(**first) == 202
    assert once(**first | {"files": [*reversed(first["files"])]}) == 202
    assert once(**first | {"compile_args": ["-O3"]}) == 409
    assert once(**first | {"files": [{"path": "a", "content": "x"}]}) == 409
    message = message_of(aws)
    assert message["compile_args"] == ["-O2"]


@pytest.mark.parametrize("option", ["-Wl,-z", "-Wa,x", "-Wp,x", "@file", "-o", "x.c", "-fplugin=x", "-O2 -O3"])
def test_no_option_reaches_another_program(aws: Aws, project_key: str, option: str) -> None:
    del aws, project_key
    body = {"language": "c", "code": "int main(void){}", "compile_args": ["-O2", option]}
    assert problems(send(API_KEY, "POST", "/api/submit", body)) == ["compile_args[1]"]


@pytest.mark.parametrize("size", [10, 100 * KB])
def test_a_lost_message_is_sent_again_with_its_files(aws: Aws, project_key: str, size: int) -> None:
    del project_key
    aws.environment("SweepFunction")
    content = stored(aws, PROJECT_ID, some())
    files = [{"path": "a", "content": "x" * size}, {"path": "b", "sha256": content.sha256}]
    the_id = post(files).json["id"]
    first = message_of(aws)
    row = submit.ENV[SubmissionStore].get(the_id)
    assert row is not None
    Sweep(sweep.ENV)._send_again(row, first["execution_id"], row.due_at_ms or 0, row.due_at_ms or 0)
    again = message_of(aws)
    assert again["files"] == first["files"]


def test_a_judge_run_has_files_for_all_cases(aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del project_key
    monkeypatch.setenv("LONGEST_WAIT_SECS", "0")
    body = PROGRAM | {"files": [{"path": "a", "content": "x"}], "cases": [{}]}
    answer = send(API_KEY, "POST", "/api/judge", body, query={"wait": "false"})
    assert answer.status == 202, answer.raw
    (message,) = aws.messages("BatchQueue")
    assert [file["path"] for file in message["files"]] == ["a"]
    assert message["version"] == 2


def judge(cases: list[dict[str, Any]], **more: Any) -> Answer:
    body = PROGRAM | {"cases": cases} | more
    return send(API_KEY, "POST", "/api/judge", body, query={"wait": "false"})


def test_a_case_has_files_of_its_own(aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del project_key
    monkeypatch.setenv("LONGEST_WAIT_SECS", "0")
    content = stored(aws, PROJECT_ID, some())
    own = {"path": "in", "sha256": content.sha256, "read_only": True}
    cases: list[dict[str, Any]] = [{"files": [own]}, {}, {"files": [{"path": "in", "content": "2"}]}]
    answer = judge(cases, files=[{"path": "all", "content": "x"}])
    assert answer.status == 202, answer.raw
    (message,) = aws.messages("BatchQueue")
    assert [(file["path"], file.get("case")) for file in message["files"]] == [("all", None), ("in", 0), ("in", 2)]
    file = result.ENV[FileStore].get(PROJECT_ID, content.sha256)
    assert file is not None
    assert message["files"][1]["object"]["key"] == file.object_key
    assert file.used_at_ms is not None, "it is held as long as the run waits"
    missing = judge([{"files": [own | {"sha256": "1" * 64}]}])
    assert (missing.status, missing.json["missing"]) == (409, ["1" * 64])


@pytest.mark.parametrize(
    ("cases", "field"),
    [
        ([{}, {"files": [{"path": "../x", "content": ""}]}], "cases[1].files[0].path"),
        ([{"files": [{"path": "solution.py", "content": ""}]}], "cases[0].files[0].path"),
        ([{"files": [{"path": "a"}]}], "cases[0].files[0].content"),
        ([{"files": [{"path": "all", "content": ""}]}], "cases[0].files"),
        ([{"files": [{"path": "all/b", "content": ""}]}], "cases[0].files"),
        ([{"files": [{"path": "b", "content": ""}] * 2}], "cases[0].files"),
        ([{"files": [{"path": str(number), "content": ""} for number in range(64)]}], "cases[0].files"),
        ([{"files": [{"path": str(number), "content": ""} for number in range(60)]}] * 9, "cases"),
        ([{"files": [{"path": "b", "content": "x" * (128 * KB)}]}] * 2, "cases"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_files_of_cases_are_bounded(aws: Aws, project_key: str, cases: list[dict[str, Any]], field: str) -> None:
    del project_key
    assert problems(judge(cases, files=[{"path": "all", "content": "x"}])) == [field]
    assert aws.messages("BatchQueue") == []


def test_stored_files_of_a_case_are_bounded_by_their_sizes(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del project_key
    monkeypatch.setenv("LONGEST_WAIT_SECS", "0")
    content = stored(aws, PROJECT_ID, some(33 * KB * KB))
    twice = [{"path": name, "sha256": content.sha256} for name in ("a", "b")]
    assert problems(judge([{}, {"files": twice}])) == ["cases[1].files"]
    assert judge([{"files": twice[:1]}, {"files": twice[1:]}]).status == 202


def test_files_of_cases_are_part_of_the_body_of_a_key(aws: Aws, project_key: str) -> None:
    del aws, project_key

    def meaning(*cases: dict[str, Any]) -> str:
        raw = json.dumps(PROGRAM | {"cases": list(cases)}).encode()
        return parse_judge_request(raw, ProgramRules((Language.PYTHON,))).body_sha256

    file = {"path": "a", "content": "x"}
    assert len({meaning({"files": [file]}, {}), meaning({}, {"files": [file]}), meaning({}, {})}) == 3
    assert meaning({"files": []}, {}) == meaning({}, {})


def test_a_check_holds_its_files_until_it_names_them_no_more(aws: Aws, project_key: str) -> None:
    del project_key
    content = stored(aws, PROJECT_ID, some())
    body = PROGRAM | {
        "name": "totals",
        "files": [{"path": "a", "sha256": content.sha256}, {"path": "b", "content": "y"}],
    }
    created = send(API_KEY, "POST", "/api/checks", body)
    assert created.status == 200, created.raw
    path = f"/api/checks/{created.json['id']}"
    assert [file["path"] for file in send(API_KEY, "GET", path).json["files"]] == ["a", "b"]
    refused = send(API_KEY, "DELETE", f"/api/files/{content.sha256}")
    assert (refused.status, created.json["id"] in refused.json["message"]) == (409, True)
    store = checks.ENV[CheckStore]
    holder = f"check {created.json['id']}"
    assert store.names_file(PROJECT_ID, content.sha256, holder) is True
    assert send(API_KEY, "PATCH", path, {"files": [{"path": "b", "content": "y"}]}).status == 200
    assert store.names_file(PROJECT_ID, content.sha256, holder) is False
    unknown = send(API_KEY, "PATCH", path, {"files": [{"path": "a", "sha256": "1" * 64}]})
    assert (unknown.status, unknown.json["error"]) == (409, "files_missing")
    assert send(API_KEY, "POST", f"{path}/run").status == 202


def test_the_sweeper_keeps_a_file_while_a_check_names_it(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del project_key
    sha256, days = stored(aws, PROJECT_ID, some()).sha256, [0]
    created = send(API_KEY, "POST", "/api/checks", PROGRAM | {"name": "a", "files": [{"path": "a", "sha256": sha256}]})
    sweep.ENV.forget()
    monkeypatch.setattr(sweep.ENV, "clock", lambda: now_ms() + days[0] * 86_400_000)

    def is_there_after_days(number: int) -> bool:
        days[0] = number
        sweep.handler({"source": "schedule"}, Context())  # type: ignore[arg-type]
        return result.ENV[FileStore].get(PROJECT_ID, sha256) is not None

    assert is_there_after_days(2)
    assert is_there_after_days(4)
    assert send(API_KEY, "PATCH", f"/api/checks/{created.json['id']}", {"files": []}).status == 200
    assert not is_there_after_days(6)
