"""The cache of stored files: each blob once, never a wrong one, bounded, fair between projects, nothing left behind."""

import gc
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.files import StoredFile
from sandbox_runtime.worker.file_cache import FileCache, FileMismatchError, FilesUnavailableError, RunFolder
from tests.until import PATIENCE_SECS, until


def stored(content: bytes, **changes: object) -> StoredFile:
    digest = hashlib.sha256(content).hexdigest()
    fields = {"key": f"files/{digest[:8]}", "size": len(content), "sha256": digest, **changes}
    return StoredFile(**fields)  # type: ignore[arg-type] # of the tests


class Bucket:
    """Objects by key, and how often each was read."""

    def __init__(self, *contents: bytes) -> None:
        self.objects = {stored(content).key: content for content in contents}
        self.reads: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def read(self, key: str) -> Iterator[bytes]:
        self.reads.append(key)
        assert self.may_go_on.wait(PATIENCE_SECS)
        content = self.objects[key]
        for begin in range(0, len(content), 7):
            yield content[begin : begin + 7]


A, B, C = b"a" * 100, b"b" * 100, b"c" * 100


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(A, B, C, b"")


@pytest.fixture
def cache(tmp_path: Path, bucket: Bucket) -> Iterator[FileCache]:
    made = FileCache(str(tmp_path), 500, bucket.read)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


def content_of(folder: RunFolder) -> set[bytes]:
    return {path.read_bytes() for path in (Path(folder.path) / "files").iterdir()}


def blobs(cache: FileCache) -> list[Path]:
    return sorted(Path(cache._directory).glob("blob-*"))


def test_a_file_is_downloaded_once_for_a_project_and_linked_for_each_run(cache: FileCache, bucket: Bucket) -> None:
    first = cache.open_folder("p", [stored(A), stored(A), stored(b"")], 10)
    second = cache.open_folder("p", [stored(A)], 10)
    assert content_of(first) == {A, b""}
    assert content_of(second) == {A}
    assert bucket.reads == [stored(A).key, stored(b"").key]
    (linked,) = (Path(second.path) / "files").iterdir()
    assert linked.name == stored(A).sha256
    assert (linked.stat().st_mode & 0o777, linked.stat().st_nlink) == (0o444, 3)
    first.close()
    first.close()
    assert not Path(first.path).exists()
    assert content_of(second) == {A}


def test_a_project_does_not_use_the_file_of_another(cache: FileCache, bucket: Bucket) -> None:
    for project in ("p", "q"):
        cache.open_folder(project, [stored(A)], 10).close()
    assert bucket.reads == [stored(A).key] * 2


@pytest.mark.parametrize(
    "lie",
    [
        {"sha256": "0" * 64},
        {"size": 99},
        {"size": 101},
        {"size": 0},
        {"key": stored(B).key},
        {"sha256": stored(B).sha256},
    ],
    ids=str,
)
def test_a_lie_about_hash_or_size_is_found_and_not_cached(
    cache: FileCache, bucket: Bucket, lie: dict[str, object]
) -> None:
    for _ in range(2):
        with pytest.raises(FileMismatchError):
            cache.open_folder("p", [stored(A, **lie)], 10)
    assert (cache.size_bytes, blobs(cache)) == (0, [])
    assert len(bucket.reads) == 2
    cache.open_folder("p", [stored(A)], 10).close()  # the truth is accepted afterwards
    with pytest.raises(FileMismatchError):
        cache.open_folder("p", [stored(A, size=7)], 10)


def test_two_files_with_one_hash_and_two_sizes_are_a_lie(cache: FileCache) -> None:
    with pytest.raises(FileMismatchError):
        cache.open_folder("p", [stored(A), stored(A, size=99)], 10)


def test_a_refused_request_gives_its_other_files_back(cache: FileCache) -> None:
    with pytest.raises(FileMismatchError):
        cache.open_folder("p", [stored(A), stored(B, size=1)], 10)
    assert list(Path(cache._directory).glob("run-*")) == []
    assert [entry.users for entry in cache._entries.values()] == [0]


def test_the_least_recently_used_file_goes_first(cache: FileCache, bucket: Bucket) -> None:
    for content in (A, B, A, C):  # a project may have half of 500 bytes
        cache.open_folder("p", [stored(content)], 10).close()
    cache.open_folder("p", [stored(A)], 10).close()
    assert bucket.reads == [stored(content).key for content in (A, B, C)]
    cache.open_folder("p", [stored(B)], 10).close()
    assert bucket.reads[3:] == [stored(B).key]


def test_one_project_cannot_evict_all_files_of_others(cache: FileCache, bucket: Bucket) -> None:
    cache.open_folder("quiet", [stored(A)], 10).close()
    for number in range(50):
        content = str(number).encode() * 50
        bucket.objects[stored(content).key] = content
        cache.open_folder("greedy", [stored(content)], 10).close()
    assert cache.size_bytes <= 350
    assert sum(path.stat().st_size for path in blobs(cache)) == cache.size_bytes
    before = len(bucket.reads)
    cache.open_folder("quiet", [stored(A)], 10).close()
    assert len(bucket.reads) == before


def test_files_in_use_stay_and_count(cache: FileCache) -> None:
    folders = [cache.open_folder("p", [stored(content)], 10) for content in (A, B)]
    with pytest.raises(FilesUnavailableError, match="full"):
        cache.open_folder("p", [stored(C)], 10)
    assert [content_of(folder) for folder in folders] == [{A}, {B}]
    folders[0].close()
    assert content_of(cache.open_folder("p", [stored(C)], 10)) == {C}


def test_a_folder_that_nobody_holds_is_given_back(cache: FileCache) -> None:
    path = cache.open_folder("p", [stored(A)], 10).path
    gc.collect()
    assert not Path(path).exists()
    assert [entry.users for entry in cache._entries.values()] == [0]


def test_two_runs_at_a_time_download_a_file_once(cache: FileCache, bucket: Bucket) -> None:
    bucket.may_go_on.clear()
    folders: list[RunFolder] = []
    threads = [
        threading.Thread(target=lambda: folders.append(cache.open_folder("p", [stored(A)], PATIENCE_SECS)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    until(lambda: bucket.reads)
    bucket.may_go_on.set()
    for thread in threads:
        thread.join()
    assert bucket.reads == [stored(A).key]
    assert [content_of(folder) for folder in folders] == [{A}] * 5


def test_if_a_download_fails_the_next_run_tries_again(cache: FileCache, bucket: Bucket) -> None:
    del bucket.objects[stored(A).key]
    with pytest.raises(KeyError):
        cache.open_folder("p", [stored(A)], 10)
    assert (cache.size_bytes, blobs(cache)) == (0, [])
    bucket.objects[stored(A).key] = A
    assert content_of(cache.open_folder("p", [stored(A)], 10)) == {A}


def test_a_download_that_takes_too_long_is_given_up(cache: FileCache) -> None:
    with pytest.raises(FilesUnavailableError, match="too"):
        cache.open_folder("p", [stored(A)], 0)
    assert (cache.size_bytes, blobs(cache)) == (0, [])


def test_a_disk_that_takes_no_file_makes_files_unavailable(cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(FilesUnavailableError, match="No space left"):
        cache.open_folder("p", [stored(A)], 10)
    assert (cache.size_bytes, blobs(cache)) == (0, [])


def test_folders_of_dead_runners_are_removed_and_those_of_living_ones_stay(
    tmp_path: Path, cache: FileCache, bucket: Bucket
) -> None:
    cache.open_folder("p", [stored(A)], 10)
    dead = tmp_path / "rustbox-files-dead"
    (dead / "run-1/files").mkdir(parents=True)
    (dead / "blob-1").write_bytes(A)
    link = tmp_path / "rustbox-files-link"
    link.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    other = FileCache(str(tmp_path), 500, bucket.read)
    assert not dead.exists()
    assert (tmp_path / "elsewhere").exists()
    assert len(blobs(cache)) == 1
    other.close()
    link.unlink()
    (tmp_path / "elsewhere").rmdir()
