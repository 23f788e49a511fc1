"""Problems kept on the service: stored, listed, judged and deleted; hostile ones refused, and nobody else's."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from events.requested import MAX_CASE_BYTES, JudgeRequested
from events.vocabulary import Language
from functions.env import Env
from functions.files.model import RUN_MAX_MS, USE_NOTED_MS
from functions.files.store import FileStore
from functions.files.use import StoredFiles, file_holders
from functions.handlers import judge as judge_handler
from functions.handlers import result as result_handler
from functions.handlers.sweep import SETTINGS, holders
from functions.judging.model import ProblemVersion
from functions.judging.problem_store import ProblemStore, StoredProblems, problem_key
from functions.judging.problems import parse_problem
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.files.file_factory import Content, ask, stored
from tests.adapters.http_calls import get, send
from tests.adapters.judging.judge_world import completed, requested, result
from tests.adapters.judging.problem_world import (
    PROGRAM,
    SUM,
    has_object,
    judge_problem,
    judging_of,
    problems_of,
    push,
    pushed,
    read_object,
    stored_text,
)
from tests.adapters.pipeline import Pipeline

HOUR_MS = 3_600_000
OTHER_KEY = "rb_live_of_another_project"
UNKNOWN_HASH = "0" * 64

pytestmark = pytest.mark.usefixtures("project_key")


class Clock:
    now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The time of judge requests and of sweeps."""
    made = Clock()
    aws.environment("JudgeFunction")
    judge_handler.ENV.forget()
    monkeypatch.setattr(judge_handler.ENV, "clock", made)
    yield made
    judge_handler.ENV.forget()


@pytest.fixture
def other_key(aws: Aws) -> str:
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(Project("other", "another"))
    return projects.issue_key("other", api_key=OTHER_KEY)


def sweep_files(aws: Aws, clock: Clock) -> None:
    aws.environment("SweepFunction")
    sweeping = Env("sweep", SETTINGS, clock)
    sweeping.provide(file_holders, holders)
    for entry in sweeping[FileStore].due(clock(), 100):
        sweeping[StoredFiles].sweep(entry)


def message(aws: Aws) -> JudgeRequested:
    asked = requested(aws)
    assert asked.version == 3
    assert (asked.judging, asked.judging_key) == (None, None)
    return asked


# --- store --------------------------------------------------------------------------------------------------------


def test_a_push_and_its_judge_runs_warn_of_cases_without_an_answer(aws: Aws) -> None:
    answer = stored_text(aws, "42\n")
    cases = [{"stdin": "1 2\n"}, {"stdin": "20 22\n", "expected_sha256": answer}, {"stdin": "3 4\n", "expected": ""}]
    for _ in range(2):  # the second one finds the version
        (warning,) = push(cases=cases).json["warnings"]
        assert warning.endswith("nor a checker program: cases[0].")
    assert judge_problem("sum", unknown=1).json["warnings"] == [
        "The field unknown is unknown and was ignored.",
        warning,
    ]
    assert "warnings" not in push().json
    assert "warnings" not in judge_problem("sum").json


def test_a_problem_is_stored_listed_described_and_deleted(aws: Aws) -> None:
    groups = [{"id": "small", "points": 30}]
    cases = [{**case, "group": "small"} for case in SUM["cases"]]
    name = pushed(groups=groups, cases=cases, limits={"cpu_time_secs": 2}, files=[{"path": "in.csv", "content": "1"}])
    version = name.partition("@")[2]
    (listed,) = get(API_KEY, "/api/problems").json["items"]
    assert {**listed, "created_at": "", "pushed_at": ""} == {
        "id": "sum",
        "version": version,
        "cases": 2,
        "size_bytes": 15,
        "created_at": "",
        "pushed_at": "",
    }
    described = get(API_KEY, "/api/problems/sum").json
    assert described == {
        **listed,
        "groups": [{"id": "small", "cases": 2, "points": 30}],
        "limits": {"cpu_time_secs": 2},
        "files": ["in.csv"],
        "versions": [version],
    }
    assert get(API_KEY, f"/api/problems/{name}").json == described
    assert send(API_KEY, "DELETE", "/api/problems/sum").json == {"id": "sum", "deleted": True}
    assert get(API_KEY, "/api/problems").json == {"items": [], "next_cursor": None}
    for path in ("/api/problems/sum", f"/api/problems/{name}"):
        assert get(API_KEY, path).status == 404
        assert send(API_KEY, "DELETE", path).status == 404


def test_equal_content_is_the_same_version_and_other_content_a_new_one(aws: Aws) -> None:
    first = pushed()
    by_hash = {"stdin_sha256": stored_text(aws, "1 2\n"), "expected": "3\n"}
    in_file = pushed(cases=[SUM["cases"][0] | {"stdin": None} | by_hash, SUM["cases"][1]])
    assert pushed() == first == in_file
    changed = [
        pushed(cases=SUM["cases"][:1]),
        pushed(cases=[SUM["cases"][0], SUM["cases"][1] | {"expected": "43\n"}]),
        pushed(cases=[SUM["cases"][0], SUM["cases"][1] | {"visibility": "hidden"}]),
        pushed(limits={"cpu_time_secs": 2}),
        pushed(checker={"kind": "exact"}),
        pushed(stop="first_failure"),
        pushed(files=[{"path": "a", "content": ""}]),
    ]
    assert len({first, *changed}) == 8
    assert get(API_KEY, "/api/problems/sum").json["version"] == changed[-1].partition("@")[2]
    assert get(API_KEY, "/api/problems/sum").json["versions"] == [
        name.partition("@")[2] for name in (first, *changed)
    ], "the oldest first"
    assert pushed() == first
    assert get(API_KEY, "/api/problems/sum").json["version"] == first.partition("@")[2], "pushed last again"


def test_versions_are_in_order_of_time_also_beside_those_of_an_older_row(aws: Aws) -> None:
    names = [pushed(limits={"cpu_time_secs": number}).partition("@")[2] for number in range(1, 6)]
    table, at = aws.names["SubmissionsTable"], problem_key(PROJECT_ID, "sum")
    aws.client("dynamodb").update_item(TableName=table, Key=at, UpdateExpression="REMOVE version_times")
    later = [pushed(limits={"cpu_time_secs": number}).partition("@")[2] for number in range(6, 10)]
    assert get(API_KEY, "/api/problems/sum").json["versions"] == sorted(names) + later
    assert send(API_KEY, "DELETE", f"/api/problems/sum@{later[1]}").status == 200
    assert get(API_KEY, "/api/problems/sum").json["versions"] == [*sorted(names), later[0], *later[2:]]
    assert pushed(limits={"cpu_time_secs": 1}).partition("@")[2] == names[0]
    assert send(API_KEY, "DELETE", "/api/problems/sum").status == 200
    assert get(API_KEY, "/api/problems").json["items"] == []


def test_a_program_gets_the_files_of_its_language(aws: Aws) -> None:
    header = stored_text(aws, "int add(int, int);\n")
    pushed(
        files=[
            {"path": "data.txt", "content": "for all"},
            {"path": "add.h", "sha256": header, "language": "cpp"},
            {"path": "add.cpp", "content": "int add(int a, int b) { return a + b; }\n", "language": "cpp"},
            {"path": "add.py", "content": "def add(a, b): return a + b\n", "language": "python"},
            {"path": "add.h", "content": "of C", "language": "c"},
        ]
    )
    assert sorted(get(API_KEY, "/api/problems/sum").json["files"]) == ["add.cpp", "add.h", "add.py", "data.txt"]
    found = {}
    for language in ("python", "cpp", "c", "java"):
        judge_problem("sum", language=language, code="x" if language != "java" else "class A {}")
        found[language] = {file.path: file.stored is not None for file in message(aws).files or ()}
    assert found == {
        "python": {"data.txt": False, "add.py": False},
        "cpp": {"data.txt": False, "add.h": True, "add.cpp": False},
        "c": {"data.txt": False, "add.h": False},
        "java": {"data.txt": False},
    }


def test_a_problem_may_take_programs_in_some_languages_only(aws: Aws) -> None:
    name = pushed(languages=["python", "cpp"])
    assert get(API_KEY, "/api/problems/sum").json["languages"] == ["cpp", "python"]
    assert judge_problem("sum", language="py").status == 202
    refused = judge_problem("sum", language="java", code="class A {}")
    assert problems_of(refused) == ["language"]
    assert f"{name} takes programs in these languages: cpp, python." in refused.raw.decode()
    assert problems_of(push(languages=["cobol"])) == ["languages[0]"]
    assert problems_of(push(languages=[])) == ["languages"]
    assert "languages" not in get(API_KEY, f"/api/problems/{pushed()}").json


def test_a_program_may_have_files_where_the_problem_has_some_for_other_languages_only(aws: Aws) -> None:
    pushed(files=[{"path": "add.py", "content": "", "language": "python"}])
    own = [{"path": "own.h", "content": ""}]
    assert judge_problem("sum", language="cpp", files=own).status == 202
    assert [file.path for file in message(aws).files or ()] == ["own.h"]
    assert problems_of(judge_problem("sum", files=own)) == ["files"]


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ([{"path": "a", "content": "", "language": "cobol"}], ["files[0].language"]),
        ([{"path": "a", "content": ""}, {"path": "a", "content": "", "language": "cpp"}], ["files"]),
        (
            [{"path": "b", "content": "", "language": "cpp"}, {"path": "../x", "content": "", "language": "python"}],
            ["files[1].path"],
        ),
        ([{"path": "solution.py", "content": "", "language": "python"}], ["files[0].path"]),
    ],
)
def test_wrong_files_of_a_language_are_named_by_their_place(
    aws: Aws, files: list[dict[str, Any]], places: list[str]
) -> None:
    assert problems_of(push(files=files)) == places


def test_problems_are_listed_in_pages(aws: Aws) -> None:
    names = ["A", "a", "a-b", "a.b", "ab", "b"]
    for name in reversed(names):
        pushed(id=name)
    found, cursor = [], None
    for _ in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = send(API_KEY, "GET", "/api/problems", query=query).json
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == (names, None)


def test_the_object_for_runners_names_files_of_the_project(aws: Aws) -> None:
    stdin, expected = stored_text(aws, "x" * 20_000), stored_text(aws, "y" * 3)
    case = {"stdin_sha256": f"sha256:{stdin}", "expected_sha256": expected, "args": ["-v"]}
    pushed(cases=[case, {"expected": ""}])
    assert judge_problem("sum").status == 202
    asked = message(aws)
    assert asked.judging_object is not None
    first, second = judging_of(aws, asked.judging_object).cases
    assert (first.stdin, first.expected, second.stdin, second.expected) == (None, None, b"", b"")
    assert first.stdin_object is not None
    assert first.expected_object is not None
    assert read_object(aws, first.stdin_object) == b"x" * 20_000
    assert read_object(aws, first.expected_object) == b"y" * 3
    raw = read_object(aws, asked.judging_object)
    assert (len(raw), hashlib.sha256(raw).hexdigest()) == (asked.judging_object.size, asked.judging_object.sha256)


def test_no_answer_tells_a_part_of_a_case(aws: Aws) -> None:
    secret = stored_text(aws, "the expected output in a file")
    cases = [{"stdin": "the input", "expected": "the expected output"}, {"expected_sha256": secret}]
    answers = [push(cases=cases), get(API_KEY, "/api/problems"), get(API_KEY, "/api/problems/sum")]
    accepted = judge_problem("sum")
    answers += [accepted, get(API_KEY, f"/api/judge/{accepted.json['id']}")]
    for answer in answers:
        assert not any(text in answer.raw for text in (b"the input", b"expected output", secret.encode(), b"files/"))


# --- refused ------------------------------------------------------------------------------------------------------


def test_unknown_files_are_named(aws: Aws, other_key: str) -> None:
    mine, others = stored_text(aws, "mine"), stored_text(aws, "another's", other_key, "other")
    declared = Content(b"never sent")
    assert ask(declared).json["exists"] is False
    cases = [{"stdin_sha256": others, "expected_sha256": mine}, {"stdin_sha256": declared.sha256}]
    files = [{"path": "a", "sha256": UNKNOWN_HASH}]
    answer = push(cases=cases, files=files)
    assert (answer.status, answer.json["error"]) == (409, "files_missing")
    assert answer.json["missing"] == [others, declared.sha256, UNKNOWN_HASH]
    assert get(API_KEY, "/api/problems").json["items"] == []


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"id": ""}, ["id"]),
        ({"id": "a@b"}, ["id"]),
        ({"id": "../a"}, ["id"]),
        ({"id": ".a"}, ["id"]),
        ({"id": "a" * 65}, ["id"]),
        ({"id": "ä"}, ["id"]),
        ({"id": "a\n"}, ["id"]),
        ({"cases": []}, ["cases"]),
        ({"cases": [{}] * 1001}, ["cases"]),
        ({"title": "x"}, ["title"]),
        ({"cases": [{"stdin": "", "stdin_sha256": UNKNOWN_HASH}]}, ["cases[0].stdin"]),
        ({"cases": [{"expected": "", "expected_sha256": UNKNOWN_HASH}]}, ["cases[0].expected"]),
        ({"cases": [{"stdin_sha256": "x"}]}, ["cases[0].stdin_sha256"]),
        ({"cases": [{"stdin": "x" * 1_048_577}]}, ["cases[0].stdin"]),
        ({"cases": [{"id": "x" * 65}]}, ["cases[0].id"]),
        ({"cases": [{"id": "a"}, {"id": "a"}]}, ["cases[0].id", "cases[1].id"]),
        ({"cases": [{"group": "g"}]}, ["cases[0].group"]),
        ({"cases": [{"limits": {"cpu_time_secs": 1_000}}]}, ["cases[0].limits.cpu_time_secs"]),
        ({"cases": [{"limits": {"open_files": 64}}]}, ["cases[0].limits.open_files"]),
        ({"limits": {"memory_mb": 0}}, ["limits.memory_mb"]),
        ({"limits": {"cpu": 1}}, ["limits.cpu"]),
        ({"checker": {"kind": "program"}}, ["checker.language", "checker.code", "checker.protocol"]),
        ({"groups": [{"id": "a", "requires": ["b"]}]}, ["groups[0].id", "groups[0].requires[0]"]),
        (
            {
                "groups": [{"id": "a", "requires": ["b"]}, {"id": "b", "requires": ["a"]}],
                "cases": [{"group": "a"}, {"group": "b"}],
            },
            ["groups"],
        ),
        ({"files": [{"path": "../x", "content": ""}]}, ["files[0].path"]),
        ({"files": [{"path": "solution.py", "content": ""}]}, ["files[0].path"]),
        ({"files": [{"path": "a", "content": "x" * 65_537}]}, ["files"]),
        (
            {"cases": [{"stdin_sha256": "x"}, {"points": -1}], "stop": "maybe"},
            ["cases[0].stdin_sha256", "cases[1].points", "stop"],
        ),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_every_wrong_field_is_named(aws: Aws, changes: dict[str, Any], fields: list[str]) -> None:
    assert problems_of(push(**changes)) == fields


def test_an_interactor_has_no_expected_outputs(aws: Aws) -> None:
    interactor = {"kind": "interactor", "language": "python", "code": "1", "protocol": "kattis"}
    cases = [{"expected": "1"}, {"expected_sha256": UNKNOWN_HASH}]
    assert problems_of(push(checker=interactor, cases=cases)) == ["cases[0].expected", "cases[1].expected_sha256"]


def test_names_of_all_cases_are_bounded(aws: Aws) -> None:
    cases = [{"id": f"{index:064}", "group": "g" * 64} for index in range(1_000)]
    groups = [{"id": "g" * 64}]
    assert push(cases=cases, groups=groups).status == 200
    long_names = [case | {"id": "\x01" * 60 + case["id"][60:], "points": 0.123} for case in cases]
    assert problems_of(push(cases=long_names, groups=groups)) == ["cases"]


def test_a_case_has_at_most_64_mib(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.judging.problem_store.MAX_CASE_BYTES", 10)
    fits, large = stored_text(aws, "x" * 10), stored_text(aws, "x" * 11)
    cases = [{"stdin_sha256": fits, "expected_sha256": large}, {"stdin_sha256": large}]
    assert problems_of(push(cases=cases)) == ["cases[1].stdin_sha256", "cases[0].expected_sha256"]
    assert MAX_CASE_BYTES == 64 * 1024 * 1024


def test_the_quota_of_files_counts_problems_too(aws: Aws) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(Project("small", "small", files_mb=1))
    key = projects.issue_key("small", api_key="rb_live_of_a_small_project")
    cases = [{"stdin": "x" * 300_000, "expected": str(number)} for number in range(2)]
    assert push(cases=cases, key=key).status == 200
    used = get(key, "/api/files").json["used_bytes"]
    assert used > 600_000
    full = push(cases=cases, id="another", key=key)
    assert (full.status, full.json["error"]) == (429, "rate_limited")
    assert full.headers["ratelimit-limit"] == str(1024 * 1024)
    assert full.headers["ratelimit-remaining"] == str(1024 * 1024 - used)
    assert "retry-after" in full.headers
    assert push(cases=cases, key=key).status == 200, "it is stored already"
    assert get(key, "/api/files").json["used_bytes"] == used


# --- judge --------------------------------------------------------------------------------------------------------


def test_a_judge_run_of_a_problem_is_queued_recorded_and_read(aws: Aws, pipeline: Pipeline) -> None:
    name = pushed()
    accepted = judge_problem("sum", metadata={"user": "7"})
    assert accepted.status == 202
    asked = message(aws)
    path = f"/api/judge/{accepted.json['id']}"
    waiting = get(API_KEY, path).json
    assert (waiting["problem"], waiting["finished"], waiting["total"]) == (name, 0, 2)
    assert pipeline.record(completed(accepted.json["id"], execution_id=asked.execution_id)) == []
    body = get(API_KEY, path).json
    assert (body["problem"], body["passed"], body["failed"], body["score"], body["max_score"]) == (name, 1, 1, 2, 3)
    assert [(case["id"], case["visibility"], case["stdout"]) for case in body["results"]] == [
        ("sample", "full", "3\n"),
        ("secret", "verdict", None),
    ]


def test_all_runs_of_a_version_share_one_object(aws: Aws) -> None:
    first = pushed()
    objects = set()
    for number in range(3):
        assert judge_problem(first, code=f"print({number})").status == 202
        objects.add(message(aws).judging_object)
    assert len(objects) == 1
    assert pushed(cases=SUM["cases"][:1]) != first
    assert judge_problem(first, code="print(4)").status == 202
    assert message(aws).judging_object in objects
    assert judge_problem("sum", code="print(5)").status == 202
    assert message(aws).judging_object not in objects


def test_limits_files_and_the_language_of_a_run_meet_those_of_the_problem(aws: Aws) -> None:
    stored_file = stored_text(aws, "data")
    files = [{"path": "a.txt", "content": "a"}, {"path": "b.txt", "sha256": stored_file, "read_only": True}]
    pushed(limits={"cpu_time_secs": 2, "memory_mb": 64}, files=files)
    assert judge_problem("sum", limits={"memory_mb": 128}).status == 202
    asked = message(aws)
    assert (asked.limits.cpu_time_secs, asked.limits.memory_mb) == (2, 128)
    assert [(file.path, file.read_only, file.content) for file in asked.files or ()] == [
        ("a.txt", False, b"a"),
        ("b.txt", True, None),
    ]
    refused = judge_problem("sum", files=[{"path": "c.txt", "content": ""}])
    assert problems_of(refused) == ["files"]
    pushed(id="parallel", limits={"max_processes": 64})
    assert problems_of(judge_problem("parallel")) == ["problem"]
    assert judge_problem("parallel", language="rust", code="fn main() {}").status == 202
    pushed(id="mixed", cases=[{}, {"limits": {"max_processes": 64}}])
    refused = judge_problem("mixed")
    assert problems_of(refused) == ["problem"]
    assert "cases[1].limits.max_processes" in refused.json["fields"][0]["message"]


@pytest.mark.parametrize("field", ["cases", "checker", "groups", "stop"])
def test_a_judge_run_takes_from_its_problem_what_belongs_to_it(aws: Aws, field: str) -> None:
    values: dict[str, Any] = {"cases": [{}], "checker": {"kind": "lines"}, "groups": [{"id": "a"}], "stop": "never"}
    assert problems_of(send(API_KEY, "POST", "/api/judge", {**PROGRAM, "problem": "sum", field: values[field]})) == [
        field
    ]


def test_a_judge_run_needs_cases_or_a_problem(aws: Aws) -> None:
    for body in (PROGRAM, {**PROGRAM, "cases": []}):
        assert problems_of(send(API_KEY, "POST", "/api/judge", body)) == ["cases"]


@pytest.mark.parametrize(
    "name", ["unknown", "sum@0123456789abcdef", "sum@x", "sum@", "@", "", "a b", "../sum", "x" * 500]
)
def test_an_unknown_problem_is_not_found(aws: Aws, name: str) -> None:
    pushed()
    answer = judge_problem(name)
    assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_no_project_reaches_a_problem_of_another(aws: Aws, other_key: str) -> None:
    name = pushed()
    for text in ("sum", name):
        assert judge_problem(text, other_key).status == 404
        assert get(other_key, f"/api/problems/{text}").status == 404
        assert send(other_key, "DELETE", f"/api/problems/{text}").status == 404
    assert get(other_key, "/api/problems").json["items"] == []
    assert pushed(key=other_key) == name, "a version is a hash of its content"
    assert judge_problem("sum", other_key).status == 202
    others = message(aws).judging_object
    assert judge_problem("sum").status == 202
    assert message(aws).judging_object != others


def test_1000_empty_cases_are_judged_and_answered(aws: Aws, pipeline: Pipeline) -> None:
    pushed(cases=[{}] * 1_000)
    accepted = judge_problem("sum")
    asked = message(aws)
    assert len(asked.serialise()) < 2_000
    cases = [result(index, checker_message="m" * 200) for index in range(1_000)]
    whole = json.dumps({"cases": cases})
    key = f"outputs/{accepted.json['id']}/{asked.execution_id}/cases"
    aws.client("s3").put_object(Bucket=aws.names["PayloadsBucket"], Key=key, Body=whole.encode())
    ended = completed(accepted.json["id"], execution_id=asked.execution_id, cases_key=key)
    ended = json.dumps(json.loads(ended) | {"cases": None})
    assert pipeline.record(ended) == []
    body = get(API_KEY, f"/api/judge/{accepted.json['id']}").json
    assert (body["all_passed"], body["passed"], len(body["results"])) == (True, 1_000, 1_000)


# --- delete -------------------------------------------------------------------------------------------------------


def test_a_version_that_is_deleted_while_it_is_judged_keeps_its_cases_until_no_run_needs_them(
    aws: Aws, clock: Clock, pipeline: Pipeline
) -> None:
    stdin = stored_text(aws, "the input")
    name = pushed(cases=[{"stdin_sha256": stdin, "expected": "1"}, {}])
    accepted = judge_problem(name)
    asked = message(aws)
    assert asked.judging_object is not None
    input_object = judging_of(aws, asked.judging_object).cases[0].stdin_object
    assert input_object is not None
    refused = send(API_KEY, "DELETE", f"/api/files/{stdin}")
    assert (refused.status, name in refused.json["message"]) == (409, True)

    assert send(API_KEY, "DELETE", "/api/problems/sum").status == 200
    assert judge_problem(name, code="print(2)").status == judge_problem("sum", code="print(2)").status == 404
    clock.now_ms += RUN_MAX_MS - 1
    sweep_files(aws, clock)
    assert has_object(aws, asked.judging_object.key)
    assert has_object(aws, input_object.key)
    assert pipeline.record(completed(accepted.json["id"], execution_id=asked.execution_id)) == []
    assert get(API_KEY, f"/api/judge/{accepted.json['id']}").json["passed"] == 1

    clock.now_ms += USE_NOTED_MS + 26 * HOUR_MS
    sweep_files(aws, clock)
    assert not has_object(aws, asked.judging_object.key)
    assert not has_object(aws, input_object.key)
    assert judge_handler.ENV[FileStore].usage(PROJECT_ID) == (0, 0)


def test_a_deleted_problem_that_was_never_judged_gives_its_quota_back_at_once(
    aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_handler.ENV.forget()
    monkeypatch.setattr(result_handler.ENV, "clock", clock)
    stdin = stored_text(aws, "the input")
    before = judge_handler.ENV[FileStore].usage(PROJECT_ID)
    name = pushed(cases=[{"stdin_sha256": stdin}, {"stdin": "x" * 10_000}])
    assert judge_handler.ENV[FileStore].usage(PROJECT_ID) > before
    refused = send(API_KEY, "DELETE", f"/api/files/{stdin}")
    assert (refused.status, name in refused.json["message"]) == (409, True)
    assert send(API_KEY, "DELETE", "/api/problems/sum").status == 200
    sweep_files(aws, clock)
    assert judge_handler.ENV[FileStore].usage(PROJECT_ID) == before
    assert send(API_KEY, "DELETE", f"/api/files/{stdin}").status == 200
    result_handler.ENV.forget()


def test_a_problem_keeps_its_files_for_years(aws: Aws, clock: Clock) -> None:
    stdin = stored_text(aws, "the input")
    pushed(cases=[{"stdin_sha256": stdin}])
    for _ in range(5):
        clock.now_ms += 400 * HOUR_MS
        sweep_files(aws, clock)
    assert judge_problem("sum").status == 202
    stored_object = message(aws).judging_object
    assert stored_object is not None
    input_object = judging_of(aws, stored_object).cases[0].stdin_object
    assert input_object is not None
    assert read_object(aws, input_object) == b"the input"


def test_one_version_is_deleted_but_not_the_last_one(aws: Aws) -> None:
    first = pushed()
    second = pushed(cases=SUM["cases"][:1])
    refused = send(API_KEY, "DELETE", f"/api/problems/{second}")
    assert (refused.status, refused.json["error"]) == (409, "conflict")
    version = first.partition("@")[2]
    assert send(API_KEY, "DELETE", f"/api/problems/{first}").json == {"id": "sum", "version": version, "deleted": True}
    assert get(API_KEY, f"/api/problems/{first}").status == 404
    assert get(API_KEY, "/api/problems/sum").json["versions"] == [second.partition("@")[2]]
    assert pushed() == first, "it is stored anew"
    assert judge_problem(first).status == 202
    stored_object = message(aws).judging_object
    assert stored_object is not None
    assert len(judging_of(aws, stored_object).cases) == 2


def test_a_deleted_problem_is_pushed_again_while_runs_of_the_old_one_go_on(aws: Aws, clock: Clock) -> None:
    stdin = stored_text(aws, "the input")
    cases = [{"stdin_sha256": stdin}]
    pushed(cases=cases)
    judge_problem("sum")
    old = message(aws).judging_object
    assert old is not None
    assert send(API_KEY, "DELETE", "/api/problems/sum").status == 200
    pushed(cases=cases)
    clock.now_ms += 40 * HOUR_MS
    sweep_files(aws, clock)
    assert not has_object(aws, old.key)
    judge_problem("sum", code="print(2)")
    new = message(aws).judging_object
    assert new is not None
    input_object = judging_of(aws, new).cases[0].stdin_object
    assert input_object is not None
    assert read_object(aws, input_object) == b"the input"


@pytest.mark.parametrize("point", ["files.after_reserve", "files.after_put"])
def test_a_crash_within_a_push_leaves_nothing_behind(
    aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    class CrashError(Exception):
        pass

    def crash(reached: str) -> None:
        if reached == point:
            raise CrashError

    stdin = stored_text(aws, "the input")
    with monkeypatch.context() as patch:
        patch.setattr("functions.files.use.reach", crash)
        with pytest.raises(CrashError):
            _push_directly(stdin)
    assert get(API_KEY, "/api/problems").json["items"] == []
    clock.now_ms += 30 * HOUR_MS
    sweep_files(aws, clock)
    assert judge_handler.ENV[FileStore].usage(PROJECT_ID) == (0, 0)


def _push_directly(stdin: str) -> None:
    body = json.dumps({"id": "sum", "cases": [{"stdin_sha256": stdin}]}).encode()
    judge_handler.ENV[StoredProblems].push(Project(PROJECT_ID, "tests"), parse_problem(body, offered=[Language.PYTHON]))


def test_two_pushes_at_a_time_store_one_version(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds the row that the first has written between its read and its write."""
    stored(aws, PROJECT_ID, Content(b"x"))
    store = judge_handler.ENV[ProblemStore]
    read, calls = store.version, list[str]()

    def version(project_id: str, problem_id: str, name: str) -> ProblemVersion | None:
        found = read(project_id, problem_id, name)
        calls.append(name)
        if len(calls) == 1:
            _push_directly(Content(b"x").sha256)
        return found

    monkeypatch.setattr(store, "version", version)
    _push_directly(Content(b"x").sha256)
    assert len(calls) == 3
    assert len(get(API_KEY, "/api/problems/sum").json["versions"]) == 1


def test_a_validation_says_what_a_push_would_change_and_stores_nothing(aws: Aws) -> None:
    sum_of_file = {**SUM, "cases": [*SUM["cases"], {"stdin_sha256": Content(b"the input").sha256, "expected": "x"}]}

    def validated(problem: Mapping[str, Any]) -> Any:
        before = aws.items("SubmissionsTable")
        answer = send(API_KEY, "POST", "/api/problems/validate", problem)
        assert aws.items("SubmissionsTable") == before
        return answer.json

    assert (validated(SUM)["is_last"], validated(SUM)["missing"]) == (False, [])
    missing = validated(sum_of_file)
    assert (missing["is_last"], missing["missing"]) == (False, [Content(b"the input").sha256])
    assert push(sum_of_file).json["missing"] == missing["missing"]
    stored_text(aws, "the input")
    name = pushed(sum_of_file)
    assert validated(sum_of_file) == {"valid": True, "version": name.partition("@")[2], "is_last": True, "missing": []}
    first = pushed(SUM)
    assert (validated(sum_of_file)["is_last"], validated(SUM)["is_last"]) == (False, True)
    send(API_KEY, "DELETE", "/api/problems/sum")
    assert validated(SUM) == {"valid": True, "version": first.partition("@")[2], "is_last": False, "missing": []}
    assert validated({"id": "sum", "cases": []})["error"] == "invalid"
