"""The engine's file: damaged, of a newer version, in use, full, or copied without its keys."""

import base64
import collections
import contextlib
import json
import os
import re
import shutil
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.embedded.backup import back_up, restore
from infra.embedded.engine import Engine, open_engine
from infra.embedded.errors import ServiceError, StoreUnusableError
from infra.embedded.storage.store import FILE_NAME, LOG_NAME, MARK_NAME, MIGRATIONS
from infra.local.embedded_aws import lock_state
from infra.local.settings import StartError
from tests.embedded.backend import Backend, session_of
from tests.until import until

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def test_a_read_that_ends_after_the_close_leaves_no_connection(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    with engine.store.read() as connection:
        engine.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_many_readers_at_once_leave_few_connections(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    with contextlib.ExitStack() as readers:
        lent = [readers.enter_context(engine.store.read()) for _ in range(40)]
    still_open = 0
    for connection in lent:
        with contextlib.suppress(sqlite3.ProgrammingError):
            still_open += connection.execute("SELECT 1").fetchone()[0]
    assert still_open == 8
    engine.close()


def test_a_closed_engine_refuses_writes(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    engine.close()
    with pytest.raises(ServiceError, match="the engine is closed"), engine.store.write():
        pytest.fail("a write began")


def test_the_folder_may_have_any_name(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / os.fsdecode(b"a?b%41 \xff"))  # no UTF-8, as names of other locales
    Backend("engine", session_of(engine)).create_table()
    engine.close()
    assert [path.name for path in engine.store.folder.glob(f"{FILE_NAME}*")] == [FILE_NAME]


def test_everything_is_there_after_a_new_start(tmp_path: Path) -> None:
    first = open_engine(tmp_path)
    backend = Backend("engine", session_of(first))
    table, url = backend.create_table(), backend.create_queue()
    backend.client("dynamodb").put_item(TableName=table, Item=KEY)
    backend.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    backend.client("ssm").put_parameter(Name="/p", Value="secret", Type="SecureString")
    first.close()
    second = open_engine(tmp_path)
    backend = Backend("engine", session_of(second))
    assert backend.client("dynamodb").get_item(TableName=table, Key=KEY)["Item"] == KEY
    assert len(backend.client("sqs").receive_message(QueueUrl=url)["Messages"]) == 1
    assert backend.client("ssm").get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"] == "secret"
    second.close()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_the_file_of_an_earlier_version_is_brought_to_this_one_with_all_it_holds(tmp_path: Path, version: int) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file:
        file.executescript(";".join(MIGRATIONS[:version]))
        file.execute("INSERT INTO parameter VALUES ('/p', 'String', ?, 1, 0)", (b"kept",))
        file.execute(f"PRAGMA user_version = {version}")
        file.commit()
    engine = open_engine(tmp_path)
    backend = Backend("engine", session_of(engine))
    assert backend.client("ssm").get_parameter(Name="/p")["Parameter"]["Value"] == "kept"
    url = backend.create_queue()
    backend.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert len(backend.client("sqs").receive_message(QueueUrl=url)["Messages"]) == 1
    with engine.store.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    engine.close()


def test_secrets_and_keys_are_not_in_the_file_and_only_ours_to_read(engine: Engine, aws: Backend) -> None:
    aws.client("ssm").put_parameter(Name="/p", Value="hunter2-hunter2", Type="SecureString")
    folder = engine.store.folder
    (key,) = json.loads((folder / "kms.json").read_text()).values()
    for path in folder.glob(f"{FILE_NAME}*"):
        assert b"hunter2-hunter2" not in path.read_bytes()
        assert key.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    assert (folder / "kms.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o077 == 0


def test_a_copy_without_its_keys_says_so(engine: Engine, aws: Backend, tmp_path: Path) -> None:
    kms, ssm = aws.client("kms"), aws.client("ssm")
    key = kms.create_key(Description="x")["KeyMetadata"]["KeyId"]
    box = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    ssm.put_parameter(Name="/p", Value="x", Type="SecureString")
    (engine.store.folder / "kms.json").unlink()
    with pytest.raises(StoreUnusableError, match=r"kms\.json lacks a master key of the database: copy the kms\.json"):
        open_engine(engine.store.folder)
    copied = open_engine(engine.store.folder, prepare=False)  # lost while a stack runs
    backend = Backend("engine", session_of(copied))
    for service, operation, params in (
        ("kms", "decrypt", {"CiphertextBlob": box}),
        ("ssm", "get_parameter", {"Name": "/p", "WithDecryption": True}),
    ):
        with pytest.raises(ClientError, match="restore it from the backup") as refused:
            getattr(backend.client(service), operation)(**params)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    copied.close()


def other_key(folder: Path) -> bytes:
    keys = json.loads((folder / "kms.json").read_text())
    return json.dumps(dict.fromkeys(keys, base64.b64encode(bytes(32)).decode())).encode()


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (lambda _: b"", "holds no master keys"),
        (lambda _: b"{", "holds no master keys"),
        (lambda _: b"[1]", "holds no master keys"),
        (lambda _: b"\xff\xfe", "cannot be read"),
        (lambda _: b'{"a": 1}', "holds no master keys"),
        (lambda _: b'{"a": "?"}', "holds no master keys"),
        (lambda _: b'{"a": "YQ=="}', "holds a damaged master key"),
        (lambda _: b"{}", "lacks a master key of the database"),
        (other_key, "does not open the secrets of the database"),
    ],
)
def test_a_damaged_or_foreign_file_of_keys_is_named_at_the_start(
    tmp_path: Path, spoiled: Callable[[Path], bytes], words: str
) -> None:
    engine = open_engine(tmp_path)
    ssm = Backend("engine", session_of(engine)).client("ssm")
    ssm.put_parameter(Name="/p", Value="x", Type="SecureString")
    path = tmp_path / "kms.json"
    path.write_bytes(spoiled(tmp_path))
    running = open_engine(tmp_path, prepare=False)  # damaged while a stack runs
    with pytest.raises(ClientError):
        Backend("engine", session_of(running)).client("ssm").get_parameter(Name="/p", WithDecryption=True)
    running.close()
    engine.close()
    with pytest.raises(StoreUnusableError, match=f"kms.json {words}.*: copy the kms.json that belongs to the database"):
        open_engine(tmp_path)


@pytest.mark.parametrize("damage", ["head", "page"])
def test_a_damaged_file_stops_the_start(tmp_path: Path, damage: str) -> None:
    opened = open_engine(tmp_path)
    backend = Backend("engine", session_of(opened))
    table = backend.create_table()
    for number in range(50):
        item = {"pk": {"S": str(number)}, "sk": {"S": "x" * 500}}
        backend.client("dynamodb").put_item(TableName=table, Item=item)
    opened.close()
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    start = 0 if damage == "head" else len(content) // 2
    content[start : start + 8192] = os.urandom(8192)
    path.write_bytes(content)
    with pytest.raises(StoreUnusableError, match="restore a backup"):
        open_engine(tmp_path)


def test_a_newer_schema_stops_the_start(tmp_path: Path) -> None:
    open_engine(tmp_path).close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreUnusableError, match=r"written by a newer version \(schema 999"):
        open_engine(tmp_path)


def test_a_second_stack_on_one_folder_stops_the_start(tmp_path: Path) -> None:
    with lock_state(tmp_path), pytest.raises(StartError, match=f"already running on .*pid {os.getpid()}"):
        lock_state(tmp_path)


def test_a_clean_close_leaves_no_log(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    Backend("engine", session_of(engine)).create_table()
    engine.close()
    assert [path.name for path in tmp_path.glob(f"{FILE_NAME}*")] == [FILE_NAME]


def interrupted(tmp_path: Path, count: int = 20) -> Path:
    """Return the folder of an engine that was killed after some writes, with its log."""
    engine = open_engine(tmp_path / "used")
    backend = Backend("engine", session_of(engine))
    table = backend.create_table()
    for number in range(count):
        backend.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": str(number)}, "sk": {"S": "x" * 500}})
    killed = tmp_path / "killed"
    shutil.copytree(engine.store.folder, killed, ignore=shutil.ignore_patterns("wake", "*-shm"))
    engine.close()
    return killed


FRAME_BYTES = 24 + 4096


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("place", ["page", "head", "salt", "first", "header"])
def test_the_start_counts_frames_that_are_dropped_behind_a_wrong_checksum(tmp_path: Path, place: str) -> None:
    folder = interrupted(tmp_path)
    log = folder / LOG_NAME
    frames = (log.stat().st_size - 32) // FRAME_BYTES
    bad = 32 + (frames - 5) * FRAME_BYTES
    at = {"page": bad + 1000, "head": bad + 20, "salt": bad + 8, "first": 32 + 100, "header": 16}[place]
    flip(log, at)
    expected = {"first": frames, "header": frames, "salt": 4}.get(place, 5)
    for dropped in (expected, 0):
        engine = open_engine(folder)
        engine.close()
        assert engine.dropped_frames == dropped


def test_a_transaction_that_a_killed_process_did_not_finish_is_no_damage(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    log = folder / LOG_NAME
    frames = (log.stat().st_size - 32) // FRAME_BYTES
    with log.open("r+b") as file:
        while True:  # cut behind a frame that does not end a transaction
            frames -= 1
            file.seek(32 + (frames - 1) * FRAME_BYTES + 4)
            if file.read(4) == bytes(4):
                file.truncate(32 + frames * FRAME_BYTES)
                break
    engine = open_engine(folder)
    engine.close()
    assert engine.dropped_frames == 0


def test_the_start_does_not_read_a_long_log_into_memory(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    os.truncate(folder / LOG_NAME, 256 * 1024 * 1024)
    tracemalloc.start()
    try:
        engine = open_engine(folder)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    engine.close()
    assert engine.dropped_frames == 0
    assert most_bytes < 16 * 1024 * 1024


def test_an_earlier_use_of_the_log_is_no_damage(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "used")
    backend = Backend("engine", session_of(engine))
    table = backend.create_table()
    for number in range(600):  # SQLite uses the log again from its begin after 1,000 pages
        backend.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": str(number)}, "sk": {"S": "x" * 500}})
    killed = tmp_path / "killed"
    shutil.copytree(engine.store.folder, killed, ignore=shutil.ignore_patterns("wake", "*-shm"))
    with (killed / LOG_NAME).open("rb") as file:
        file.seek(8)
        assert file.read(8)[4:] != bytes(4)
    engine.close()
    again = open_engine(killed)
    assert again.dropped_frames == 0
    assert Backend("engine", session_of(again)).client("dynamodb").scan(TableName=table)["Count"] == 600
    again.close()


def new_file(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")


@pytest.mark.parametrize("beside", ["kms.json", LOG_NAME])
@pytest.mark.parametrize("loss", [Path.unlink, lambda path: path.write_bytes(b""), new_file])
def test_a_lost_file_beside_keys_or_a_log_stops_the_start(
    tmp_path: Path, beside: str, loss: Callable[[Path], object]
) -> None:
    folder = interrupted(tmp_path)
    (folder / "kms.json").write_text("{}")
    for name in {"kms.json", LOG_NAME, MARK_NAME} - {beside}:
        (folder / name).unlink()
    loss(folder / FILE_NAME)
    if beside == LOG_NAME and (folder / FILE_NAME).exists() and (folder / FILE_NAME).stat().st_size:
        return  # the log does not fit the other file, and SQLite takes none of it
    words = f"missing or empty, but {beside} beside it is not: restore a backup, or move .*killed aside"
    before = {path.name: path.read_bytes() for path in folder.glob("[kr]*")}
    with pytest.raises(StoreUnusableError, match=words):
        open_engine(folder)
    assert {path.name: path.read_bytes() for path in folder.glob("[kr]*")} == before


@pytest.mark.parametrize(
    "use", [lambda folder: open_engine(folder).close(), lambda folder: back_up(folder, folder / "backup")]
)
def test_a_log_that_is_lost_after_an_unclean_end_is_refused(tmp_path: Path, use: Callable[[Path], object]) -> None:
    folder = interrupted(tmp_path)
    lost = folder / LOG_NAME
    lost.rename(tmp_path / "aside")
    words = f"{lost} is missing after an unclean end.*: move it back, restore a backup, or delete {folder / MARK_NAME}"
    for _ in range(2):
        with pytest.raises(StoreUnusableError, match=words):
            use(folder)
    (tmp_path / "aside").rename(lost)
    use(folder)


def test_a_clean_end_needs_no_log_and_other_uses_after_an_unclean_one_keep_it(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    back_up(folder, tmp_path / "backup")
    other = open_engine(folder, prepare=False)
    with other.store.read() as connection:
        connection.execute("SELECT count(*) FROM item").fetchone()
    other.close()
    assert (folder / LOG_NAME).stat().st_size > 0
    open_engine(folder).close()
    assert not (folder / LOG_NAME).exists()
    assert not (folder / MARK_NAME).exists()
    open_engine(folder).close()


def test_a_restore_after_an_unclean_end_needs_no_log(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    back_up(folder, tmp_path / "backup")
    (folder / LOG_NAME).unlink()
    restore(folder, tmp_path / "backup")
    open_engine(folder).close()


def refusal(call: Callable[[], None]) -> str | None:
    try:
        call()
    except ClientError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", [FILE_NAME, LOG_NAME])
@pytest.mark.parametrize("loss", [Path.unlink, lambda path: path.rename(path.with_name("aside"))])
def test_a_file_that_is_deleted_or_moved_while_it_is_used_is_noticed(
    engine: Engine, aws: Backend, name: str, loss: Callable[[Path], object]
) -> None:
    table = aws.create_table()
    assert engine.store.find_trouble() is None
    path = engine.store.folder / name
    loss(path)
    trouble = engine.store.find_trouble()
    assert trouble is not None
    assert (trouble.cause, trouble.stops) == ("the state file is not in its place any more", "all")

    def put() -> None:
        aws.client("dynamodb").put_item(TableName=table, Item=KEY)

    until(lambda: refusal(put) is not None)
    assert re.search(f"{name} was deleted, moved or replaced .*: move it back, or stop and restore", refusal(put) or "")
    if path.with_name("aside").exists():
        path.with_name("aside").rename(path)
        put()
        assert engine.store.find_trouble() is None


def test_a_disk_that_fills_tells_of_it_before_it_is_full(small_disk: Path) -> None:
    opened = open_engine(small_disk)
    size = os.statvfs(small_disk)
    fillers = [small_disk / "most", small_disk / "all"]
    seen = list[tuple[str, str] | None]()
    # A disk of 4 MiB has no tenth above the megabyte that counts as full: so it is its size that is grown.
    for blocks in (size.f_blocks, size.f_bavail * 20):
        grown = os.statvfs_result((*size[:2], blocks, *size[3:]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "statvfs", lambda _path, grown=grown: grown)
            trouble = opened.store.find_trouble()
        seen.append(trouble and (trouble.cause, trouble.stops))
    fillers[0].write_bytes(bytes(size.f_bavail * size.f_frsize - 500_000))
    trouble = opened.store.find_trouble()
    seen.append(trouble and (trouble.cause, trouble.stops))
    fillers[0].unlink()
    low = ("less than 10 % of the disk is free", "nothing")
    assert seen == [None, low, ("the disk is full", "writes")]
    assert opened.store.find_trouble() is None
    opened.close()


def test_a_start_on_a_full_disk_says_so(small_disk: Path) -> None:
    open_engine(small_disk).close()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with pytest.raises(StoreUnusableError, match=f"^the disk of {small_disk} is full: free some space$"):
        open_engine(small_disk)
    filler.unlink()
    open_engine(small_disk).close()


def test_a_full_disk_is_an_error_to_repeat_and_passes(small_disk: Path) -> None:
    opened = open_engine(small_disk)
    backend = Backend("engine", session_of(opened))
    client, table = backend.client("dynamodb"), backend.create_table()
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes((free.f_bavail - 100) * free.f_bsize))
    written = list[str]()

    def put(key: str) -> None:
        client.put_item(TableName=table, Item={"pk": {"S": key}, "sk": {"S": "1"}, "text": {"S": "x" * 50_000}})
        written.append(key)

    with pytest.raises(ClientError) as refused:
        collections.deque(map(put, map(str, range(1000))), 0)
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    filler.unlink()
    put("later")
    assert 1 < len(written) == client.scan(TableName=table, Select="COUNT")["Count"] < 1000
    opened.close()
