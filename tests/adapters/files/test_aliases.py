"""Bytes that come through the service, and the ids by which clients of other services know them."""

from dataclasses import dataclass

import pytest

from functions.env import Env
from functions.errors import RateLimitedError, TooLargeError
from functions.files.aliases import FileAlias, FileAliases
from functions.files.model import KEPT_MS, File, FileState
from functions.files.objects import FileObjects
from functions.files.use import StoredFiles
from functions.handlers import result
from functions.projects.model import Project
from tests.adapters.aws_account import PROJECT_ID, Aws

PROJECT = Project(PROJECT_ID, "tests")
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
    del project_key
    aws.environment("ResultFunction")
    return Env("result", result.SETTINGS, clock)


def alias(file: File, clock: Clock, namespace: str = "jobe", alias_id: str = "one") -> FileAlias:
    return FileAlias.of(namespace, alias_id, "data/a.csv", file, clock())


@both
def test_bytes_are_stored_once_as_a_file(files: Env) -> None:
    first, second = (files[StoredFiles].store(PROJECT, b"a,b\n", "text/csv") for _ in range(2))
    assert (first.state, first.size, first.object_key) == (FileState.STORED, 4, second.object_key)
    assert files[FileObjects].get(first.object_key) == b"a,b\n"
    found = files[StoredFiles].find_object(PROJECT_ID, first.sha256)
    assert found is not None
    assert (found.object_key, found.media_type) == (first.object_key, "text/csv")
    assert files[StoredFiles].find_object("other", first.sha256) is None


def test_bytes_over_the_quota_are_refused(files: Env) -> None:
    with pytest.raises(RateLimitedError):
        files[StoredFiles].store(Project(PROJECT_ID, "tests", files_mb=1), bytes(2_000_000), "text/csv")


@both
def test_an_alias_is_found_in_its_namespace_by_its_project_until_it_expires(files: Env, clock: Clock) -> None:
    aliases = files[FileAliases]
    one = alias(files[StoredFiles].store(PROJECT, b"a,b\n", "text/csv"), clock)
    aliases.put(PROJECT_ID, [one, one])
    assert aliases.get(PROJECT_ID, "jobe", "one") == one
    assert aliases.find_all(PROJECT_ID, "jobe") == [one]
    assert [aliases.find_all(*whose) for whose in (("other", "jobe"), (PROJECT_ID, "jo"), (PROJECT_ID, "x"))] == [
        []
    ] * 3
    assert aliases.get("other", "jobe", "one") is None
    clock.now_ms += KEPT_MS
    assert (aliases.get(PROJECT_ID, "jobe", "one"), aliases.find_all(PROJECT_ID, "jobe")) == (None, [])


@both
def test_a_project_writes_so_many_aliases_in_a_day(files: Env, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.files.aliases.WRITTEN_MAX", 3)
    aliases, file = files[FileAliases], files[StoredFiles].store(PROJECT, b"a", "text/csv")
    first, second, third, fourth = (alias(file, clock, alias_id=f"id{number}") for number in range(4))
    aliases.put(PROJECT_ID, [first, second, second])
    with pytest.raises(RateLimitedError) as refused:
        aliases.put(PROJECT_ID, [third, fourth])
    assert aliases.find_all(PROJECT_ID, "jobe") == [first, second]
    assert 0 < refused.value.retry_after_secs <= 86_400
    aliases.put(PROJECT_ID, [third])
    for again in (first, fourth):
        with pytest.raises(RateLimitedError):
            aliases.put(PROJECT_ID, [again])
    aliases.put("other", [fourth])
    clock.now_ms += refused.value.retry_after_secs * 1000
    aliases.put(PROJECT_ID, [fourth])


def test_no_alias_is_no_write(aws: Aws, files: Env) -> None:
    files[FileAliases].put(PROJECT_ID, [])
    assert [item for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith("FILES#")] == []


@both
def test_a_list_has_all_aliases_or_is_refused(files: Env, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    aliases, file = files[FileAliases], files[StoredFiles].store(PROJECT, b"a", "text/csv")
    aliases.put(PROJECT_ID, [alias(file, clock, alias_id=f"{number:04}") for number in range(230)])
    monkeypatch.setattr("functions.files.aliases.LISTED_MAX", 230)
    assert len(aliases.find_all(PROJECT_ID, "jobe")) == 230
    monkeypatch.setattr("functions.files.aliases.LISTED_MAX", 229)
    with pytest.raises(TooLargeError):
        aliases.find_all(PROJECT_ID, "jobe")


def test_all_aliases_of_a_project_are_deleted_and_no_other(files: Env, clock: Clock) -> None:
    aliases, file = files[FileAliases], files[StoredFiles].store(PROJECT, b"a", "text/csv")
    aliases.put(PROJECT_ID, [alias(file, clock, f"s{number}", f"{number}") for number in range(130)])
    aliases.put("other", [alias(file, clock)])
    assert [aliases.delete_some(PROJECT_ID) for _ in range(3)] == [100, 30, 0]
    assert aliases.get(PROJECT_ID, "s7", "7") is None
    assert aliases.get("other", "jobe", "one") is not None
    assert files[StoredFiles].find(PROJECT_ID, file.sha256) is not None
