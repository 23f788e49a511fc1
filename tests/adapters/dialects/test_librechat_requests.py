"""LibreChat's code API: forms, sessions of one project, and programs as ordinary submissions."""

import base64
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.files.aliases import FileAlias, FileAliases
from functions.files.form import FORM_MAX_BYTES, PARTS_MAX
from functions.files.model import KEPT_MS, ArtifactObject
from functions.handlers import dialects
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, Invocation, call, event

pytestmark = pytest.mark.usefixtures("project_key")
BASE = "/librechat"
AT_ONCE = Invocation(lambda: 0.0)
"""No runner answers here: the request ends before it waits."""
CSV = b"a,b\r\n1,2\r\n\r\n--B\r\n"
OTHER_KEY = "rb_live_of_another_project"


@pytest.fixture
def other(aws: Aws) -> str:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "another"))
    return projects.issue_key("other", api_key=OTHER_KEY)


def part(name: str, content: bytes, media_type: str = "text/csv", more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {media_type}\r\n{more}\r\n'
    return head.encode() + content


def form(*parts: bytes, end: bytes = b"--boundary--\r\n") -> bytes:
    return b"".join(b"--boundary\r\n" + one + b"\r\n" for one in parts) + end


def send_form(body: bytes, path: str = "/upload", boundary: str = "boundary", key: str = API_KEY) -> Answer:
    headers = {"X-API-Key": key, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    return call(event("POST", BASE + path, headers=headers, body=body))


def uploaded(name: str = "a.csv", content: bytes = CSV, key: str = API_KEY) -> dict[str, str]:
    """Store a file; return how /exec names it."""
    answer = send_form(form(part(name, content)), key=key)
    assert answer.status == 200, answer.raw
    said = answer.json
    assert (said["message"], said["session_id"], len(said["files"])) == ("success", said["storage_session_id"], 1)
    (file,) = said["files"]
    return {"id": file["fileId"], "storage_session_id": said["session_id"], "name": file["filename"]}


def get(path: str, key: str = API_KEY, **query: str) -> Answer:
    return call(event("GET", BASE + path, headers={"X-API-Key": key}, query=query))


def execute(body: Mapping[str, Any], path: str = "/exec", key: str = API_KEY) -> Answer:
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return call(event("POST", BASE + path, headers=headers, body=json.dumps(body)), AT_ONCE)


def test_a_file_is_stored_listed_and_fetched() -> None:
    file = uploaded("Mein Bericht (2024) ü.csv")
    session, id_ = file["storage_session_id"], file["id"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{21}", session)
    assert re.fullmatch(r"[A-Za-z0-9_-]{21}", id_)
    (full,) = get(f"/files/{session}", detail="full").json
    assert (full["id"], full["size"], full["contentType"]) == (id_, len(CSV), "text/csv")
    assert full["metadata"]["original-filename"] == file["name"] == "Mein Bericht (2024) ü.csv"
    assert get(f"/files/{session}", detail="summary").json == [
        {"name": f"{session}/{id_}", "lastModified": full["lastModified"]}
    ]
    assert get(f"/files/{session}", detail="simple").json[0]["name"] == file["name"]
    assert get(f"/sessions/{session}/objects/{id_}").json["lastModified"] == full["lastModified"]
    answer = get(f"/download/{session}/{id_}")
    assert (answer.status, answer.raw) == (200, CSV)
    assert answer.headers["Content-Type"] == "text/csv"
    assert "Mein%20Bericht%20%282024%29%20%C3%BC.csv" in str(answer.headers)
    assert "x-stored-object-key" not in answer.headers


def test_files_of_a_session_expire_a_day_after_their_last_use(aws: Aws) -> None:
    file = uploaded()
    later = dialects.ENV.clock() + KEPT_MS
    aws.monkeypatch.setattr(dialects.ENV, "clock", lambda: later)
    dialects.ENV.forget()
    assert get(f"/files/{file['storage_session_id']}").json == []
    assert get(f"/download/{file['storage_session_id']}/{file['id']}").status == 404
    assert execute({"lang": "py", "code": "1", "files": [file]}).status == 404


def test_nobody_sees_the_sessions_of_another_project(aws: Aws, other: str) -> None:
    file = uploaded()
    session, id_ = file["storage_session_id"], file["id"]
    assert get(f"/files/{session}", other).json == get("/files/unknown", other).json == []
    for path in (f"/download/{session}/{id_}", f"/sessions/{session}/objects/{id_}"):
        theirs, unknown = get(path, other), get(path.replace(session, "unknown"), other)
        assert (theirs.status, theirs.raw) == (unknown.status, unknown.raw) == (404, theirs.raw)
    body = {"lang": "py", "code": "1", "session_id": session, "files": [file]}
    assert execute(body, key=other).status == 404
    assert execute(body | {"files": []}, key=other).status == 503  # the id is a name in its own project
    assert aws.messages("InteractiveQueue")[0].get("files") is None
    assert get(f"/files/{session}").json[0]["id"] == id_


@pytest.mark.parametrize("wrong", ["x" * 65, "x" * 2_000, "a b", "ü" * 9, "%00", "..."])
def test_an_id_that_no_session_and_no_file_has_is_refused(wrong: str) -> None:
    file = uploaded()
    session, id_ = file["storage_session_id"], file["id"]
    for path in (f"/files/{wrong}", f"/download/{wrong}/{id_}", f"/download/{session}/{wrong}"):
        answer = get(path)
        assert (answer.status, list(answer.json)) == (400, ["error"]), answer.raw
    assert [get(f"/sessions/{place}").status for place in (f"{wrong}/objects/x", f"x/objects/{wrong}")] == [400, 400]


def test_a_session_of_many_files_loses_none(aws: Aws) -> None:
    first = uploaded("first.csv")
    session = first["storage_session_id"]
    bytes_ = ArtifactObject("0" * 64, 1, "text/csv", "nowhere")
    now = dialects.ENV.clock()
    many = [FileAlias.of(f"librechat/{session}", f"{number:05}", f"f{number}", bytes_, now) for number in range(1_300)]
    dialects.ENV[FileAliases].put(PROJECT_ID, many)
    assert len(get(f"/files/{session}", detail="simple").json) == 1_301
    assert execute({"lang": "py", "code": "1", "files": [first]}).status == 503
    (message,) = aws.messages("InteractiveQueue")
    assert [one["path"] for one in message["files"]] == ["first.csv"]


def test_a_file_of_an_own_session_is_that_of_the_project_alone(other: str) -> None:
    mine, theirs = uploaded(), uploaded(key=other)
    assert mine["id"] == theirs["id"]  # it stands for the name and the bytes
    assert get(f"/download/{theirs['storage_session_id']}/{mine['id']}").status == 404


def test_a_program_is_an_ordinary_submission_of_the_agent_profile(aws: Aws) -> None:
    file = uploaded()
    more = {"args": ["a", 1], "user_id": "u", "entity_id": "e", "kind": "user", "runtime_session_hint": "x"}
    answer = execute({"lang": "py", "code": "print(1)", "files": [file], "timeout": 1500, **more})
    assert (answer.status, list(answer.json)) == (503, ["error"]), answer.raw
    (message,) = aws.messages("InteractiveQueue")
    assert (message["language"], message["profile"], message["args"]) == ("python", "agent", ["a", "1"])
    assert base64.b64decode(message["code_base64"]) == b"print(1)"
    assert (message["limits"], message["artifacts"]) == ({"wall_time_secs": 1.5, "file_size_mb": 25}, "changed")
    assert [(one["path"], one["object"]["size"]) for one in message["files"]] == [("a.csv", len(CSV))]


@pytest.mark.parametrize("timeout", [25_001, 10**400])
def test_a_timeout_over_the_ceiling_is_the_ceiling(aws: Aws, timeout: int) -> None:
    assert execute({"lang": "py", "code": "1", "timeout": timeout}).status == 503
    assert aws.messages("InteractiveQueue")[0]["limits"]["wall_time_secs"] == 25


def test_of_two_files_with_one_name_a_program_gets_the_last(aws: Aws) -> None:
    first, second = uploaded(), uploaded(content=b"newer")
    assert execute({"lang": "py", "code": "1", "files": [first, second]}).status == 503
    (message,) = aws.messages("InteractiveQueue")
    assert [one["object"]["size"] for one in message["files"]] == [5]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"lang": "php"}, 400),
        ({"lang": 1}, 422),
        ({"code": ""}, 422),
        ({"code": "#" * 65_537}, 400),
        ({"session_id": "../x"}, 422),
        ({"session_id": "a#b"}, 422),
        ({"entity_id": "a/b"}, 422),
        ({"timeout": 0}, 422),
        ({"files": [{"id": "x", "session_id": "y"}]}, 422),
        ({"files": [{"id": "x", "session_id": "y", "name": "z"}]}, 404),
        ({"files": [{"id": "x", "session_id": "y#x", "name": "z"}]}, 422),
        ({"files": [{"id": "x", "session_id": "y", "name": "z"}] * 129}, 422),
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_wrong_request_is_refused(aws: Aws, changes: dict[str, Any], status: int) -> None:
    answer = execute({"lang": "py", "code": "1"} | changes)
    assert (answer.status, list(answer.json)) == (status, ["error"]), answer.raw
    assert aws.messages("InteractiveQueue") == []
    refused = execute({"lang": "py", "code": "1"} | changes, "/exec/programmatic")
    assert (refused.status, refused.json["status"]) == (200, "error")


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../b", "a//b", ".", "solution.py"])
def test_a_program_gets_no_file_outside_of_its_directory(aws: Aws, name: str) -> None:
    answer = execute({"lang": "py", "code": "1", "files": [uploaded() | {"name": name}]})
    assert (answer.status, list(answer.json)) == (422, ["error"])
    assert "files[0].path" in answer.json["error"]
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "a\x1b[2Jb", "\u202etxt", "x" * 256])
def test_a_file_with_a_wrong_name_is_not_stored(aws: Aws, name: str) -> None:
    answer = send_form(form(part(name, CSV)))
    assert (answer.status, list(answer.json)) == (400, ["error"])
    batch = send_form(form(part(name, CSV), part("a.csv", CSV)), "/upload/batch").json
    assert (batch["message"], batch["succeeded"], batch["failed"]) == ("partial", 1, 1)
    assert [one["status"] for one in batch["files"]] == ["error", "success"]
    assert len(get(f"/files/{batch['session_id']}").json) == 1
    assert len([item for item in aws.items("SubmissionsTable") if item["sk"]["S"].startswith("FILE#")]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"--boundary", 400),
        (b"--boundary--", 400),
        (form(), 400),
        (form(part("a", b"1"), end=b""), 400),
        (form(part("a", b"1"), end=b"--boundary"), 400),
        (form(b"no head"), 400),
        (form(b"\xff\xfe: x\r\n\r\n1"), 400),
        (form(part("", b"1")), 400),
        (form(b'Content-Disposition: form-data; name="entity_id"\r\n\r\nx'), 400),
        (form(b"x: " + b"y" * 5_000 + b"\r\n\r\n1"), 400),
        (form(part("a", b"MQ==", more="Content-Transfer-Encoding: base64\r\n")), 400),
        (form(*[part(f"{number}", b"1") for number in range(PARTS_MAX + 1)]), 400),
        (b"--boundary\r\n" * 200_000, 400),
        (form(part("a", bytes(FORM_MAX_BYTES))), 413),
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_broken_or_huge_form_is_refused(aws: Aws, body: bytes, status: int) -> None:
    answer = send_form(body)
    assert (answer.status, list(answer.json)) == (status, ["error"]), answer.raw
    assert [item for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith("FILES#")] == []


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "multipart/mixed; boundary=x", ""])
def test_a_body_that_is_no_form_is_refused(content_type: str) -> None:
    headers = {"X-API-Key": API_KEY, "Content-Type": content_type}
    answer = call(event("POST", f"{BASE}/upload", headers=headers, body=form(part("a", b"1"))))
    assert (answer.status, list(answer.json)) == (415, ["error"])


def test_a_part_that_says_to_be_a_form_is_a_file() -> None:
    inner = form(part("b.csv", CSV))
    file = uploaded("a.bin", inner.replace(b"--boundary", b"--inner"))
    assert len(get(f"/files/{file['storage_session_id']}").json) == 1


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="files"; filename="a b.csv"', "a b.csv"),
        ("form-data; name=file; filename=a.csv", "a.csv"),
        ('form-data; name="file"; filename="say \\"hi\\".txt"', 'say "hi".txt'),
        ('form-data; name="file"; filename="say %22hi%22.txt"', 'say "hi".txt'),
        ('form-data; name="file"; filename="x"; filename*=UTF-8\'\'%C3%BC.txt', "ü.txt"),
        ('form-data; name="file"; filename="skills/a/SKILL.md"', "skills/a/SKILL.md"),
    ],
)
def test_a_file_has_the_name_that_its_part_says(disposition: str, name: str) -> None:
    answer = send_form(form(f"Content-Disposition: {disposition}\r\n\r\n1".encode()))
    assert [file["filename"] for file in answer.json["files"]] == [name]


def test_an_upload_over_the_quota_is_refused_and_says_when_to_come_again(aws: Aws) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("small", "small", files_mb=1))
    key = projects.issue_key("small")
    answer = send_form(form(part("a", bytes(2_000_000))), key=key)
    assert (answer.status, answer.json["error"]) == (429, "rate_limited")
    assert answer.json["retry_after_seconds"] > 0
    batch = send_form(form(part("a", bytes(2_000_000)), part("b", b"1")), "/upload/batch", key=key).json
    assert [one["status"] for one in batch["files"]] == ["error", "success"]


@pytest.mark.parametrize(
    "body",
    [
        {"code": "print(await get_number())", "tools": [{"name": "get-number"}]},
        {"continuation_token": "x", "tool_results": []},
        {},
        {"lang": "bash", "code": "get_number '{}'; get_number()", "tools": [{"name": "get_number"}]},
    ],
)
def test_a_program_that_calls_tools_is_refused_by_name(aws: Aws, body: dict[str, Any]) -> None:
    answer = execute(body, "/exec/programmatic")
    said = answer.json
    assert (answer.status, said["status"], said["tool_calls"]) == (200, "error", [])
    assert said["error"] == said["stderr"] != ""
    assert aws.messages("InteractiveQueue") == []


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("a " * 100_000, [f"t{number}" for number in range(15_000)]),
        ("a " * 32_000, [f"t{number}" for number in range(15_000)]),
        ("a" + " " * 65_000, ["a"] * 15_000),
        ("a" * 65_000, ["a" * 20] * 15_000),
        ("a(" * 32_000, ["b" * 50_000] * 10),
    ],
    ids=["long code", "many tools", "blanks", "one word", "long names"],
)
def test_a_search_for_calls_of_tools_takes_no_time(code: str, names: list[str]) -> None:
    begun = time.process_time()
    execute({"code": code, "tools": [{"name": name} for name in names]}, "/exec/programmatic")
    assert time.process_time() - begun < 5
