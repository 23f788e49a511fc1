"""A disk that forgets all that was not flushed keeps everything that somebody was told, and all received messages."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from infra.embedded.engine import Engine, open_engine
from infra.embedded.errors import ServiceError
from infra.embedded.storage import store
from infra.embedded.storage.store import FILE_NAME, LOG_NAME, Synchronous
from tests.disk.recorded_disk import RecordedDisk
from tests.embedded.backend import Backend, session_of
from tests.until import until

ROOT = Path(__file__).parents[2]
WRITERS, ITEMS = 3, 40


def write_and_receive(folder: str, record: str, url: str, table: str, synchronous: Synchronous) -> None:
    """Several processes put items and tell of them; each one sends messages and tells of those that it received."""
    engine = open_engine(Path(folder), synchronous=synchronous, prepare=False)
    backend, disk = Backend("engine", session_of(engine)), RecordedDisk(Path(record))
    dynamodb, sqs = backend.client("dynamodb"), backend.client("sqs")
    children = []
    for writer in range(WRITERS):
        pid = os.fork()
        if pid == 0:
            for number in range(ITEMS):
                key = f"{writer}-{number}"
                dynamodb.put_item(TableName=table, Item={"pk": {"S": key}, "sk": {"S": "x" * 300}})
                sqs.send_message(QueueUrl=url, MessageBody=key)
                for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
                    disk.note(message["Body"])
                read = dynamodb.scan(TableName=table)["Items"] if number % 10 == 0 else []
                engine.store.flush()
                for item in read:  # of other processes too
                    disk.note(item["pk"]["S"])
                disk.note(key)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def lost(tmp_path: Path, synchronous: Synchronous) -> tuple[int, set[str]]:
    """Return how many losses of power were tried, and what somebody was told and one of them lost."""
    folder, disk = tmp_path / "engine", RecordedDisk(tmp_path / "record")
    engine = open_engine(folder)
    backend = Backend("engine", session_of(engine))
    table, url = backend.create_table(), backend.create_queue()
    engine.close()
    before = tmp_path / "before"
    before.mkdir()
    (before / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes())
    call = f"write_and_receive({str(folder)!r}, {str(disk.path)!r}, {url!r}, {table!r}, {synchronous!r})"
    subprocess.run(
        [sys.executable, "-c", f"from tests.embedded.test_power_loss import write_and_receive; {call}"],
        cwd=ROOT,
        env=os.environ | disk.variables,
        check=True,
    )
    missing, count = set[str](), 0
    for loss in disk.losses(before):
        count += 1
        loss.write(tmp_path / "after")
        with closing(sqlite3.connect(tmp_path / "after" / FILE_NAME)) as connection:
            assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            missing |= set(loss.notes) - {key for (key,) in connection.execute("SELECT pk FROM item")}
    assert loss.notes.count("0-0") >= 2
    return count, missing


def test_what_somebody_was_told_or_received_survives_a_loss_of_power_at_each_flush(tmp_path: Path) -> None:
    count, missing = lost(tmp_path, "FULL")
    assert missing == set()
    assert count > ITEMS
    (tmp_path / "other").mkdir()
    assert lost(tmp_path / "other", "NORMAL")[1]  # else the disk above forgot nothing


@pytest.fixture
def flushing(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(tmp_path / "flushing", synchronous="FULL")
    yield opened
    opened.close()


def test_all_that_wait_share_one_flush_and_nobody_waits_for_what_is_on_the_disk(
    flushing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes, may_end = list[int](), threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        flushes.append(descriptor)
        assert may_end.wait(60)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    Backend("engine", session_of(flushing)).create_queue()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(flushing.store.flush)
        until(lambda: len(flushes) == 1)
        Backend("engine", session_of(flushing)).create_queue()  # behind the flush that is under way
        others = [pool.submit(flushing.store.flush) for _ in range(15)]
        may_end.set()
        for waiting in (first, *others):
            waiting.result(60)
    flushing.store.flush()
    assert len(flushes) == 2


def test_after_a_failed_flush_nothing_is_flushed_until_the_next_start(
    flushing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    Backend("engine", session_of(flushing)).create_queue()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(ServiceError, match="Input/output error"):
            flushing.store.flush()
    with pytest.raises(ServiceError, match="check it, then start again"):
        flushing.store.flush()
    trouble = flushing.store.find_trouble()
    assert trouble is not None
    assert (trouble.cause, trouble.stops) == ("the disk has failed (Input/output error)", "all")
    again = open_engine(flushing.store.folder, synchronous="FULL")
    assert again.store.find_trouble() is None
    again.close()


def test_the_first_flush_writes_what_an_earlier_process_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start empties the log, but not while a backup reads the file."""
    folder, flushes = tmp_path / "used", list[int]()
    first = open_engine(folder, synchronous="FULL")
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM queue").fetchone()
        Backend("engine", session_of(first)).create_queue()
        monkeypatch.setattr(store, "_BUSY_MS", 10)
        second = open_engine(folder, synchronous="FULL")
        assert (folder / LOG_NAME).stat().st_size > 0
        monkeypatch.setattr(os, "fdatasync", flushes.append)
        second.store.flush()
        second.store.flush()
    assert len(flushes) == 1
    second.close()
    first.close()


def test_a_flush_hears_of_writes_that_failed_since_the_one_before(
    flushing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux tells a failure to all that had the file open, and to a later one only if nobody else was told."""
    flushes = list[tuple[int, int]]()
    monkeypatch.setattr(os, "fdatasync", lambda number: flushes.append((number, os.fstat(number).st_ino)))
    log = flushing.store.folder / LOG_NAME
    Backend("engine", session_of(flushing)).create_queue()
    flushing.store.flush()
    with log.open("rb"):  # takes the number of a closed descriptor
        Backend("engine", session_of(flushing)).create_queue()
        flushing.store.flush()
    assert flushes == [(flushes[0][0], log.stat().st_ino)] * 2
    other = log.with_name("other")
    other.write_bytes(b"")
    other.replace(log)
    flushing.store._own().group_flush._flush()
    assert flushes[2][1] == log.stat().st_ino


def test_a_commit_whose_process_died_in_it_is_flushed(flushing: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes may see the commit before the counters say that it is done."""
    flushes = list[int]()
    monkeypatch.setattr(os, "fdatasync", flushes.append)
    flushing.store._counters.begin_commit()
    flushing.store.flush()
    flushing.store.flush()
    assert len(flushes) == 2
    Backend("engine", session_of(flushing)).create_queue()
    flushing.store.flush()
    flushing.store.flush()
    assert len(flushes) == 3
