"""Files of projects: stored, listed, deleted and expired, within the project's quota, and nobody else's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest

from functions.env import Env
from functions.errors import FilesMissingError
from functions.files.model import MIB, File
from functions.files.store import FileStore
from functions.files.use import StoredFiles, file_holders
from functions.handlers import result
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.files.file_factory import ask, put_directly, some, stored
from tests.adapters.http_calls import send

HOUR_MS = 3_600_000
PROJECT = Project(PROJECT_ID, "tests")
OTHER_KEY = "rb_live_of_another_project"
KB = 1024

both = pytest.mark.answered_by("engine", "moto")


@dataclass
class Clock:
    now_ms: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(aws: Aws, project_key: str, clock: Clock) -> Env:
    """The files of the account, at a time of the test's."""
    del project_key
    aws.environment("ResultFunction")
    return Env("result", result.SETTINGS, clock)


@pytest.fixture
def other(aws: Aws, project_key: str) -> str:
    del project_key
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(Project("other", "another"))
    return projects.issue_key("other", api_key=OTHER_KEY)


def sweep(files: Env, is_held: Callable[[str, str, str], bool] = lambda *_: True) -> int:
    files._parts[file_holders] = {"": is_held}
    entries = files[FileStore].due(files.clock(), 100)
    for entry in entries:
        files[StoredFiles].sweep(entry)
    return len(entries)


def objects(aws: Aws) -> int:
    return int(aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])["KeyCount"])


@both
def test_a_file_is_stored_once_listed_and_deleted(aws: Aws, project_key: str) -> None:
    del project_key
    content = stored(aws, PROJECT_ID, some(3 * KB))
    listed = send(API_KEY, "GET", "/api/files").json
    assert [(item["id"], item["size"], item["state"]) for item in listed["items"]] == [
        (f"sha256:{content.sha256}", 3 * KB, "stored")
    ]
    assert (listed["used_bytes"], listed["limit_bytes"]) == (3 * KB, 1024 * KB * KB)
    path = f"/api/files/sha256:{content.sha256}"
    assert send(API_KEY, "HEAD", path).status == 200
    assert send(API_KEY, "DELETE", path).json == {"id": f"sha256:{content.sha256}", "deleted": True}
    assert [send(API_KEY, method, path).status for method in ("GET", "HEAD", "DELETE")] == [404] * 3
    assert objects(aws) == 0
    assert send(API_KEY, "GET", "/api/files").json["used_bytes"] == 0
    assert ask(content).json["exists"] is False


@both
def test_no_project_learns_what_another_has(aws: Aws, other: str) -> None:
    content = stored(aws, PROJECT_ID, some())
    path = f"/api/files/{content.sha256}"
    assert [send(other, method, path).status for method in ("GET", "HEAD", "DELETE")] == [404] * 3
    assert send(other, "GET", "/api/files").json["items"] == []
    answer = ask(content, other).json
    assert answer["exists"] is False
    mine, theirs = (result.ENV[FileStore].get(owner, content.sha256) for owner in (PROJECT_ID, "other"))
    assert mine is not None
    assert theirs is not None
    assert mine.object_key != theirs.object_key
    with pytest.raises(FilesMissingError):
        result.ENV[StoredFiles].hold(Project("other", "another"), [content.sha256])
    put_directly(aws, "other", content)
    assert send(other, "DELETE", path).status == 200
    assert send(API_KEY, "GET", path).status == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sha256": "0" * 63}, "sha256"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"size": -1}, "size"),
        ({"size": 100 * KB * KB + 1}, "size"),
        ({"size": True}, "size"),
        ({"media_type": "text/csv; charset=utf-8"}, "media_type"),
        ({"media_type": "text/csv\r\nx: y"}, "media_type"),
    ],
)
def test_a_wrong_request_is_refused(project_key: str, changes: dict[str, Any], field: str) -> None:
    del project_key
    answer = ask(some(), **changes)
    assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (422, [field])


def test_a_path_without_a_hash_is_refused(project_key: str) -> None:
    del project_key
    assert send(API_KEY, "GET", "/api/files/x").status == 400


@both
def test_a_lie_about_the_size_is_corrected_by_the_next_request(aws: Aws, project_key: str, clock: Clock) -> None:
    del project_key, clock
    content = some(2000)
    assert ask(content, size=5000).json["exists"] is False
    assert ask(content).json["exists"] is False
    put_directly(aws, PROJECT_ID, content)
    assert ask(content).json["exists"] is True
    refused = ask(content, size=5000)
    assert (refused.status, refused.json["error"]) == (409, "conflict")


@both
def test_the_quota_counts_every_byte_once(aws: Aws, project_key: str) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(replace(Project(PROJECT_ID, "tests"), files_mb=1))
    del project_key
    first = stored(aws, PROJECT_ID, some(600 * KB))
    second = some(500 * KB)
    refused = ask(second)
    assert (refused.status, refused.json["error"]) == (429, "rate_limited")
    assert refused.headers["ratelimit-limit"] == str(1024 * KB)
    assert refused.headers["ratelimit-remaining"] == str(424 * KB)
    assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"] == "3600"
    assert ask(first).json["exists"] is True
    assert ask(some(424 * KB)).status == 200
    assert ask(some(1)).status == 429
    send(API_KEY, "DELETE", f"/api/files/{first.sha256}")
    assert ask(second).status == 200


def test_many_requests_at_once_create_one_row_and_exceed_no_quota(aws: Aws, project_key: str) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    projects.create_project(replace(Project(PROJECT_ID, "tests"), files_mb=1))
    del project_key
    same, others = some(100 * KB), [some(300 * KB) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert {answer.json["exists"] for answer in pool.map(ask, [same] * 8)} == {False}
        statuses = [answer.status for answer in pool.map(ask, others)]
    assert statuses.count(200) == 3
    assert send(API_KEY, "GET", "/api/files").json["used_bytes"] == 1000 * KB


def prepared(files: Env, aws: Aws, project_id: str = PROJECT_ID) -> str:
    """Store a file at the clock of the test, and return its hash."""
    from functions.files.model import FileRequest  # noqa: PLC0415 - beside its only use

    content = some()
    files[StoredFiles].prepare_upload(Project(project_id, "tests"), FileRequest(**content.request))
    put_directly(aws, project_id, content)
    assert files[StoredFiles].find(project_id, content.sha256) is not None
    return content.sha256


@both
def test_a_file_is_kept_for_a_day_after_its_last_use(aws: Aws, files: Env, clock: Clock) -> None:
    sha256 = prepared(files, aws)
    clock.now_ms += 23 * HOUR_MS
    assert sweep(files) == 0
    files[StoredFiles].hold(PROJECT, [sha256])
    clock.now_ms += 24 * HOUR_MS
    assert sweep(files) == 0
    assert files[StoredFiles].find(PROJECT_ID, sha256) is not None
    clock.now_ms += 2 * HOUR_MS
    assert sweep(files) == 1
    assert (files[StoredFiles].find(PROJECT_ID, sha256), objects(aws)) == (None, 0)
    assert files[FileStore].usage(PROJECT_ID) == (0, 0)


def test_most_uses_write_nothing(aws: Aws, files: Env, clock: Clock) -> None:
    sha256 = prepared(files, aws)
    files[StoredFiles].hold(PROJECT, [sha256])
    used = files[FileStore].get(PROJECT_ID, sha256)
    clock.now_ms += HOUR_MS - 1
    files[StoredFiles].hold(PROJECT, [sha256])
    assert files[FileStore].get(PROJECT_ID, sha256) == used
    clock.now_ms += 1
    files[StoredFiles].hold(PROJECT, [sha256])
    assert files[FileStore].get(PROJECT_ID, sha256) != used


@both
def test_a_waiting_run_keeps_the_bytes_of_a_deleted_file(aws: Aws, files: Env, clock: Clock) -> None:
    sha256 = prepared(files, aws)
    key = files[StoredFiles].hold(PROJECT, [sha256])[sha256].object_key
    assert files[StoredFiles].retire(files[FileStore].get(PROJECT_ID, sha256))  # type: ignore[arg-type]
    assert files[StoredFiles].find(PROJECT_ID, sha256) is None
    with pytest.raises(FilesMissingError):
        files[StoredFiles].hold(PROJECT, [sha256])
    clock.now_ms += 17 * HOUR_MS  # a run waits for six hours at most, and a judge run that is repeated takes longer
    sweep(files)
    assert aws.client("s3").get_object(Bucket=aws.names["PayloadsBucket"], Key=key)["ContentLength"] == 1000
    assert files[FileStore].usage(PROJECT_ID) == (1000, 1)
    clock.now_ms += 2 * HOUR_MS
    sweep(files)
    assert (objects(aws), files[FileStore].usage(PROJECT_ID)) == (0, (0, 0))


def test_a_file_that_was_never_sent_goes_after_two_hours(files: Env, clock: Clock) -> None:
    from functions.files.model import FileRequest  # noqa: PLC0415 - beside its only use

    files[StoredFiles].prepare_upload(Project(PROJECT_ID, "tests"), FileRequest(**some().request))
    clock.now_ms += 2 * HOUR_MS
    assert sweep(files) == 1
    assert files[FileStore].usage(PROJECT_ID) == (0, 0)


def test_a_hold_keeps_a_file_until_its_holder_lets_it_go(aws: Aws, files: Env, clock: Clock) -> None:
    sha256, names = prepared(files, aws), {"CHECK#a"}
    files[FileStore].hold(PROJECT_ID, [sha256], "CHECK#a")
    for _ in range(3):
        clock.now_ms += 26 * HOUR_MS
        sweep(files, lambda _project, _sha256, holder: holder in names)
        assert files[StoredFiles].find(PROJECT_ID, sha256) is not None
    refused = send(API_KEY, "DELETE", f"/api/files/{sha256}")
    assert (refused.status, "CHECK#a" in refused.json["message"]) == (409, True)
    names.clear()
    clock.now_ms += 26 * HOUR_MS
    sweep(files, lambda _project, _sha256, holder: holder in names)
    assert files[StoredFiles].find(PROJECT_ID, sha256) is None
    assert files[FileStore].holders(PROJECT_ID, sha256) == []


@pytest.mark.parametrize("point", ["files.after_retire", "files.after_object"])
def test_a_crash_within_a_deletion_is_finished_by_the_sweeper(
    aws: Aws, files: Env, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    class CrashError(Exception):
        pass

    def crash(reached: str) -> None:
        if reached == point:
            raise CrashError

    sha256 = prepared(files, aws)
    file = files[FileStore].get(PROJECT_ID, sha256)
    assert file is not None
    with monkeypatch.context() as patched:
        patched.setattr("functions.files.use.reach", crash)
        with pytest.raises(CrashError):
            files[StoredFiles].retire(file)
    assert files[StoredFiles].find(PROJECT_ID, sha256) is None
    sweep(files)
    assert (objects(aws), files[FileStore].usage(PROJECT_ID), sweep(files)) == (0, (0, 0), 0)


def test_pages_have_every_file_once(project_key: str) -> None:
    del project_key
    contents = [some(1) for _ in range(5)] + [some(number) for number in range(2, 8)]
    hashes = sorted({content.sha256 for content in contents})
    for content in contents:
        ask(content)
    found, cursor = [], None
    while True:
        page = send(API_KEY, "GET", "/api/files", query={"limit": "2"} | ({"cursor": cursor} if cursor else {})).json
        found += [item["id"].removeprefix("sha256:") for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == hashes


@both
def test_due_files_of_all_partitions_and_of_the_version_before_are_found_oldest_first(aws: Aws) -> None:
    table, client = aws.names["SubmissionsTable"], aws.client("dynamodb")
    store = FileStore(table, client)
    sha256s = [sha256(str(number).encode()).hexdigest() for number in range(12)]
    for number, one in enumerate(sha256s):
        assert store.create(File("a project", one, 1, "a/b", f"files/{one[:32]}", "2026", 100 - number), MIB)
    rows = [row for row in aws.items("SubmissionsTable") if row["sk"]["S"].startswith("FILE#")]
    assert len({row["due_shard"]["S"] for row in rows}) > 1
    client.put_item(TableName=table, Item={**rows[0], "due_shard": {"S": "FILES"}})
    assert [entry.sha256 for entry in store.due(100, 100)] == sha256s[::-1]
    assert [entry.sha256 for entry in store.due(95, 3)] == sha256s[:-4:-1]
