"""Objects of 1 MiB or more are files: whole before a row names them, gone after it, and part of a backup."""

import hashlib
import io
import os
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.embedded.backup import back_up, restore
from infra.embedded.confined import protocol
from infra.embedded.confined.protocol import SocketCaller
from infra.embedded.confined.socket_server import CallSocket, Policy
from infra.embedded.engine import Engine, open_engine
from infra.embedded.errors import ServiceError
from infra.embedded.hook import Hook
from infra.embedded.services import expire
from infra.embedded.storage.files import OBJECTS_FOLDER
from tests.embedded.backend import Backend, make_session, session_of

MIB = 1024 * 1024
CONTENT = os.urandom(3 * MIB + 17)


@pytest.fixture
def s3(aws: Backend) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket="b")
    return client


def names(engine: Engine) -> set[str]:
    folder = engine.store.folder / OBJECTS_FOLDER
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def read(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket="b", Key=key)["Body"].read())


class BrokenError(Exception):
    """The client is gone."""


@dataclass
class Upload:
    """A body that comes in small pieces, as from a socket, and may break."""

    content: bytes
    breaks_at: int | None = None
    at: int = 0

    def read(self, size: int) -> bytes:
        if self.breaks_at is not None and self.at >= self.breaks_at:
            raise BrokenError
        piece = self.content[self.at : self.at + min(size, 100_000)]
        self.at += len(piece)
        return piece


@contextmanager
def body_of(kind: str, content: bytes, tmp_path: Path) -> Iterator[Any]:
    if kind == "file":
        (tmp_path / "body").write_bytes(content)
        with (tmp_path / "body").open("rb") as file:
            yield file
    else:
        yield {"bytes": content, "upload": Upload(content), "memory": io.BytesIO(content)}[kind]


@pytest.mark.parametrize("kind", ["bytes", "file", "upload", "memory"])
def test_a_large_object_is_a_file_with_its_size_and_sums(s3: Any, engine: Engine, tmp_path: Path, kind: str) -> None:
    with body_of(kind, CONTENT, tmp_path) as body:
        etag = s3.put_object(Bucket="b", Key="k", Body=body, ContentType="text/x")["ETag"]
    assert len(names(engine)) == 1
    found = s3.get_object(Bucket="b", Key="k")
    assert (found["ContentLength"], found["ContentType"], found["ETag"]) == (len(CONTENT), "text/x", etag)
    assert found["Body"].read(5) + found["Body"].read() == CONTENT
    assert etag == f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
    assert s3.list_objects_v2(Bucket="b")["Contents"][0]["Size"] == len(CONTENT)
    assert (engine.store.folder / OBJECTS_FOLDER).stat().st_mode & 0o777 == 0o700


def test_a_replaced_or_deleted_object_leaves_no_file(s3: Any, engine: Engine) -> None:
    s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    reader = s3.get_object(Bucket="b", Key="k")["Body"]
    s3.put_object(Bucket="b", Key="k", Body=CONTENT[::-1])
    assert len(names(engine)) == 1
    assert reader.read() == CONTENT  # an open file stays
    assert read(s3, "k") == CONTENT[::-1]
    s3.put_object(Bucket="b", Key="k", Body=b"small")
    assert (names(engine), read(s3, "k")) == (set(), b"small")
    s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    s3.delete_object(Bucket="b", Key="k")
    assert names(engine) == set()


def test_a_body_that_breaks_leaves_the_earlier_object_and_no_file(s3: Any, engine: Engine) -> None:
    s3.put_object(Bucket="b", Key="k", Body=b"earlier")
    with pytest.raises(BrokenError):
        s3.put_object(Bucket="b", Key="k", Body=Upload(CONTENT, breaks_at=2 * MIB))
    assert (read(s3, "k"), names(engine)) == (b"earlier", set())


@pytest.mark.parametrize("content", [b"small", CONTENT])
def test_a_wrong_checksum_stores_nothing(s3: Any, engine: Engine, content: bytes) -> None:
    wrong = b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="b", Key="k", Body=content, ChecksumSHA256=wrong)
    assert refused.value.response["Error"]["Code"] == "BadDigest"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="b", Key="k")
    assert names(engine) == set()


def test_a_full_disk_is_an_error_to_repeat_and_leaves_nothing(small_disk: Path) -> None:
    engine = open_engine(small_disk)
    s3 = Backend("engine", session_of(engine)).client("s3")
    s3.create_bucket(Bucket="b")
    with pytest.raises(ClientError, match="No space left on device") as refused:
        s3.put_object(Bucket="b", Key="k", Body=CONTENT * 2)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert names(engine) == set()
    s3.put_object(Bucket="b", Key="k", Body=CONTENT[:MIB])
    assert read(s3, "k") == CONTENT[:MIB]
    engine.close()


def test_a_file_without_a_row_goes_once_it_is_old(s3: Any, engine: Engine) -> None:
    s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    folder = engine.store.folder / OBJECTS_FOLDER
    (folder / "left").write_bytes(b"by a killed process")
    (kept,) = names(engine) - {"left"}
    expire(engine, threading.Event())
    assert names(engine) == {kept, "left"}  # its row may come yet
    for name in names(engine):
        os.utime(folder / name, (0, time.time() - 7200))
    expire(engine, threading.Event())
    assert names(engine) == {kept}


def test_a_lost_file_is_an_error_that_says_so(s3: Any, engine: Engine) -> None:
    s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    (name,) = names(engine)
    (engine.store.folder / OBJECTS_FOLDER / name).unlink()
    with pytest.raises(ClientError, match=f"the file {name} of an object is missing"):
        s3.get_object(Bucket="b", Key="k")


def test_a_backup_has_the_files_and_a_restore_brings_them_back(tmp_path: Path) -> None:
    folder, file = tmp_path / "engine", tmp_path / "backup"
    engine = open_engine(folder)
    s3 = Backend("engine", session_of(engine)).client("s3")
    s3.create_bucket(Bucket="b")
    s3.put_object(Bucket="b", Key="kept", Body=CONTENT)
    s3.put_object(Bucket="b", Key="small", Body=b"small")
    back_up(folder, file)
    s3.delete_object(Bucket="b", Key="kept")
    s3.put_object(Bucket="b", Key="later", Body=CONTENT[::-1])
    engine.close()
    earlier = restore(folder, file)
    restored = open_engine(folder)
    s3 = Backend("engine", session_of(restored)).client("s3")
    assert (read(s3, "kept"), read(s3, "small")) == (CONTENT, b"small")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="b", Key="later")
    assert (folder / "rustbox.sqlite").stat().st_size < MIB
    restored.close()
    assert earlier is not None
    before = open_engine(earlier)
    assert read(Backend("engine", session_of(before)).client("s3"), "later") == CONTENT[::-1]
    before.close()


def test_during_a_backup_no_file_goes(s3: Any, engine: Engine) -> None:
    s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    with engine.files.kept():
        s3.delete_object(Bucket="b", Key="k")
        assert len(names(engine)) == 1
    for name in names(engine):
        os.utime(engine.store.folder / OBJECTS_FOLDER / name, (0, 0))
    expire(engine, threading.Event())
    assert names(engine) == set()


@dataclass
class Confined:
    call: SocketCaller
    path: Path
    s3: Any


@pytest.fixture
def confined(engine: Engine, s3: Any, tmp_path: Path) -> Iterator[Confined]:
    arn = "arn:aws:s3:::b/*"
    policy = Policy([{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [arn]}])
    server = CallSocket(tmp_path / "s", engine, policy)
    server.start()
    session, caller = make_session(), SocketCaller(tmp_path / "s")
    Hook(caller).attach(session)
    yield Confined(caller, tmp_path / "s", session.client("s3"))
    caller.close()
    server.close()


@pytest.mark.parametrize("kind", ["bytes", "file", "memory"])
def test_a_confined_process_writes_and_reads_more_than_a_message_holds(
    confined: Confined, engine: Engine, tmp_path: Path, kind: str
) -> None:
    content = CONTENT * 10
    with body_of(kind, content, tmp_path) as body:
        confined.s3.put_object(Bucket="b", Key="k", Body=body)
    found = confined.s3.get_object(Bucket="b", Key="k")
    assert found["ContentLength"] == len(content)
    digest = hashlib.sha256()
    for piece in found["Body"].iter_chunks(65536):
        digest.update(piece)
    found["Body"].close()
    assert digest.digest() == hashlib.sha256(content).digest()
    assert len(names(engine)) == 1


def test_a_confined_process_cannot_write_into_the_file_of_an_object(confined: Confined) -> None:
    confined.s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    file = confined.call("s3", "GetObject", {"Bucket": "b", "Key": "k"})["Body"]
    for attempt in (lambda: os.write(file.fileno(), b"x"), lambda: os.ftruncate(file.fileno(), 0)):
        with pytest.raises(OSError, match=r"Bad file descriptor|Invalid argument"):
            attempt()
    file.close()
    assert read(confined.s3, "k") == CONTENT


def test_a_hostile_descriptor_is_refused(confined: Confined, engine: Engine) -> None:
    """A pipe would hold up its reader; a message may also lack the descriptor that it tells of."""
    pipe, end = os.pipe()
    request = {"service": "s3", "operation": "PutObject", "params": {"Bucket": "b", "Key": "k"}, "has_file": True}
    for descriptors in ([pipe], []):
        with closing(socket.socket(socket.AF_UNIX)) as hostile:
            hostile.connect(str(confined.path))
            hostile.settimeout(10)
            with Connection(os.dup(hostile.fileno())) as connection:
                protocol.send(connection, request)
            socket.send_fds(hostile, [b"\0"], descriptors)
            with suppress(ConnectionResetError):
                assert hostile.recv(1) == b""
    os.close(pipe)
    os.close(end)
    with pytest.raises(ServiceError, match="NoSuchKey"):
        confined.call("s3", "GetObject", {"Bucket": "b", "Key": "k"})
    assert names(engine) == set()
