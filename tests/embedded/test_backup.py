"""Backups: one committed state, without master keys and deleted data; refused where they cannot be used."""

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from infra.embedded.backup import back_up, restore
from infra.embedded.engine import Engine, open_engine
from infra.embedded.errors import StoreUnusableError
from infra.embedded.storage.store import FILE_NAME
from tests.embedded.backend import Backend, session_of
from tests.until import until

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def test_a_restore_brings_the_backup_back_and_keeps_the_later_state(tmp_path: Path) -> None:
    folder, file = tmp_path / "engine", tmp_path / "backup"
    engine = open_engine(folder)
    aws = Backend("engine", session_of(engine))
    client, table, url = aws.client("dynamodb"), aws.create_table(), aws.create_queue()
    client.put_item(TableName=table, Item=KEY)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    aws.client("ssm").put_parameter(Name="/p", Value="secret", Type="SecureString")
    back_up(folder, file)
    client.put_item(TableName=table, Item=KEY | {"sk": {"S": "later"}})
    engine.close()
    kept = restore(folder, file)
    restored = open_engine(folder)
    backend = Backend("engine", session_of(restored))
    assert backend.client("dynamodb").scan(TableName=table)["Items"] == [KEY]
    assert len(backend.client("sqs").receive_message(QueueUrl=url)["Messages"]) == 1
    assert backend.client("ssm").get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"] == "secret"
    restored.close()
    assert kept is not None
    shutil.copyfile(folder / "kms.json", kept / "kms.json")
    earlier = open_engine(kept)
    assert Backend("engine", session_of(earlier)).client("dynamodb").scan(TableName=table)["Count"] == 2
    earlier.close()


def test_a_backup_under_load_is_one_committed_state(engine: Engine, aws: Backend, tmp_path: Path) -> None:
    """Each transaction writes two items: a backup has both or none."""
    folder, table, stop = engine.store.folder, aws.create_table(), threading.Event()
    written = []

    def write() -> None:
        client = aws.client("dynamodb")
        for number in range(1_000_000):
            items = [{"pk": {"S": str(number)}, "sk": {"S": side}, "text": {"S": "x" * 500}} for side in ("l", "r")]
            client.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in items])
            written.append(number)
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(3):
            until(lambda turn=turn: len(written) > 100 * (turn + 1))  # type: ignore[misc]
            before, file = len(written), tmp_path / f"backup{turn}"
            back_up(folder, file)
            with closing(sqlite3.connect(file)) as connection:
                counts = connection.execute("SELECT pk, count(*) FROM item GROUP BY pk").fetchall()
            assert {count for _, count in counts} == {2}
            assert {key for key, _ in counts} >= {str(number) for number in range(before)}
    finally:
        stop.set()
        writer.join()


def test_neither_master_keys_nor_deleted_data_are_in_a_backup(engine: Engine, aws: Backend, tmp_path: Path) -> None:
    file, table = tmp_path / "backup", aws.create_table()
    aws.client("ssm").put_parameter(Name="/p", Value="hunter2-hunter2", Type="SecureString")
    aws.client("dynamodb").put_item(TableName=table, Item=KEY | {"code": {"S": "deleted-program" * 100}})
    aws.client("dynamodb").delete_item(TableName=table, Key=KEY)
    back_up(engine.store.folder, file)
    content = file.read_bytes()
    (key,) = json.loads((engine.store.folder / "kms.json").read_text()).values()
    assert not [secret for secret in (b"hunter2", key.encode(), b"deleted-program") if secret in content]
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"engine", "backup"}


def test_a_restore_without_the_master_keys_is_refused(engine: Engine, aws: Backend, tmp_path: Path) -> None:
    file, other = tmp_path / "backup", tmp_path / "other"
    aws.client("ssm").put_parameter(Name="/p", Value="secret", Type="SecureString")
    back_up(engine.store.folder, file)
    with pytest.raises(
        StoreUnusableError, match=r"other/kms.json lacks a master key of the database: copy the kms.json"
    ):
        restore(other, file)
    assert list(other.iterdir()) == []
    shutil.copyfile(engine.store.folder / "kms.json", other / "kms.json")
    assert restore(other, file) is None
    restored = open_engine(other)
    ssm = Backend("engine", session_of(restored)).client("ssm")
    assert ssm.get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"] == "secret"
    restored.close()


def test_an_interrupted_restore_loses_no_write_of_a_killed_engine(
    engine: Engine, aws: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, killed, table = tmp_path / "backup", tmp_path / "killed", aws.create_table()
    back_up(engine.store.folder, file)
    aws.client("dynamodb").put_item(TableName=table, Item=KEY)
    shutil.copytree(engine.store.folder, killed, ignore=shutil.ignore_patterns("wake"))  # as a kill leaves them
    assert (killed / f"{FILE_NAME}-wal").stat().st_size > 0

    def interrupted(draft: Path, target: Path) -> None:
        raise OSError(errno.EINTR, "interrupted", str(draft), None, str(target))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)
        with pytest.raises(StoreUnusableError, match="interrupted"):
            restore(killed, file)
    found = open_engine(killed)
    assert Backend("engine", session_of(found)).client("dynamodb").scan(TableName=table)["Items"] == [KEY]
    found.close()


def test_a_log_without_its_file_is_not_taken_for_that_of_the_backup(
    engine: Engine, aws: Backend, tmp_path: Path
) -> None:
    file, killed, table = tmp_path / "backup", tmp_path / "killed", aws.create_table()
    back_up(engine.store.folder, file)
    aws.client("dynamodb").put_item(TableName=table, Item=KEY)
    shutil.copytree(engine.store.folder, killed, ignore=shutil.ignore_patterns("wake"))
    (killed / FILE_NAME).unlink()
    kept = restore(killed, file)
    assert kept is not None
    assert (kept / f"{FILE_NAME}-wal").stat().st_size > 0
    found = open_engine(killed)
    assert Backend("engine", session_of(found)).client("dynamodb").scan(TableName=table)["Items"] == []
    found.close()


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 999")


def foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (x)")


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = os.urandom(8192)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (newer, r"written by a newer version \(schema 999\)"),
        (foreign, "is no backup of this service"),
        (damaged, "damaged|malformed"),
        (Path.unlink, "cannot be restored: .*No such file"),
    ],
)
def test_a_file_that_is_no_good_backup_changes_nothing(
    engine: Engine, aws: Backend, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder, file, table = engine.store.folder, tmp_path / "backup", aws.create_table()
    for number in range(50):
        aws.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": str(number)}, "sk": {"S": "x" * 500}})
    back_up(folder, file)
    spoil(file)
    names = sorted(path.name for path in folder.iterdir())
    with pytest.raises(StoreUnusableError, match=words):
        restore(folder, file)
    assert sorted(path.name for path in folder.iterdir()) == names
    assert aws.client("dynamodb").scan(TableName=table, Select="COUNT")["Count"] == 50


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "backup"
    with pytest.raises(StoreUnusableError, match=r"missing/backup cannot be written: .*No such file"):
        back_up(engine.store.folder, missing)
    with pytest.raises(StoreUnusableError, match="there is nothing to back up"):
        back_up(tmp_path, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    assert (engine.store.folder / FILE_NAME).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_backup_that_a_signal_ends_leaves_nothing_and_keeps_the_earlier_one(
    engine: Engine, aws: Backend, tmp_path: Path, number: signal.Signals
) -> None:
    aws.create_table()
    target = tmp_path / "backups" / "state"
    target.parent.mkdir()
    target.write_bytes(b"the earlier one")
    program = (
        "import os, sys; from infra.embedded import backup; from infra.local import __main__\n"
        f"backup.sync = lambda _path: os.kill(os.getpid(), {number:d})\n"
        f"sys.exit(__main__.main(['backup', {str(target)!r}]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"RUSTBOX_STATE_DIR": str(engine.store.folder.parent)},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode in {128 + number, -number}
    assert [path.name for path in target.parent.iterdir()] == ["state"]
    assert target.read_bytes() == b"the earlier one"


def test_a_backup_of_an_empty_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(StoreUnusableError, match="would be empty, because the state is"):
        back_up(tmp_path, tmp_path / "backup")
    assert {path.name for path in tmp_path.iterdir()} == {FILE_NAME, "objects.lock", "backup.draft"}


def test_the_draft_of_a_killed_backup_goes_with_the_next_one_and_no_other_file(
    engine: Engine, aws: Backend, tmp_path: Path
) -> None:
    aws.create_table()
    folder, backups = engine.store.folder, tmp_path / "backups"
    backups.mkdir()
    (backups / "other.new").touch()
    program = (
        "import os; from pathlib import Path; from infra.embedded import backup\n"
        "backup.sync = lambda _path: os.kill(os.getpid(), 9)\n"
        f"backup.back_up(Path({str(folder)!r}), Path({str(backups / 'monday')!r}))"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -9
    assert (backups / "monday.new").exists()
    back_up(folder, backups / "tuesday")
    assert {path.name for path in backups.iterdir()} == {"tuesday", "other.new"}
